/// What a Y4M header's `C` says: the pixel format and where its colour samples lie.
///
/// The first of those that say the same is the one that is written. Those above 8 bits are little
/// endian.
enum Y4MColorTag {
  /// What a header without a `C` means.
  static let unlessStated = "420jpeg"

  static let all: [(tag: String, pixelFormat: String, siting: ChromaSiting)] = {
    var all: [(tag: String, pixelFormat: String, siting: ChromaSiting)] = [
      ("420jpeg", "yuv420p", .center),
      ("420mpeg2", "yuv420p", .left),
      ("420paldv", "yuv420p", .topLeft),
      ("420", "yuv420p", .center),
      ("422", "yuv422p", .left),
      ("444", "yuv444p", .left),
      ("411", "yuv411p", .left),
      ("440", "yuv440p", .left),
      ("444alpha", "yuva444p", .left),
      ("mono", "gray", .left),
    ]
    for depth in [9, 10, 12, 14, 16] {
      for layout in ["420", "422", "444"] {
        all.append(("\(layout)p\(depth)", "yuv\(layout)p\(depth)le", .left))
      }
      all.append(("mono\(depth)", "gray\(depth)le", .left))
    }
    return all
  }()

  static func meaning(of tag: String) throws(VideoError) -> (PixelFormat, ChromaSiting)? {
    guard let entry = all.first(where: { $0.tag == tag }) else { return nil }
    return (try PixelFormat(named: entry.pixelFormat), entry.siting)
  }

  /// Nil where Y4M has no name for the pixel format.
  static func tag(for format: PixelFormat, _ siting: ChromaSiting) -> String? {
    // Siting is only told apart where samples are shared both ways in 8 bits.
    let named = all.filter { $0.pixelFormat == format.name }
    return (named.first { $0.siting == siting } ?? named.first)?.tag
  }
}
