/// A Y4M stream's first line, read and written.
///
/// Reference: mjpegtools, yuv4mpeg(5). Only W and H are required.
enum Y4MHeader {
  static let magic = "YUV4MPEG2"
  /// The longest line taken, newline left out. mjpegtools' own limit is 128 bytes; without one, a
  /// stream that is no video would be read into memory whole.
  static let longestLine = 4096

  /// Reads the line at `byte` of a stream: what `line` returned of it.
  static func parse(_ line: (bytes: [UInt8], isComplete: Bool), at byte: Int) throws(VideoError)
    -> StreamFormat
  {
    let (bytes, isComplete) = line
    guard bytes.starts(with: magic.utf8),
      bytes.count == magic.utf8.count || bytes[magic.utf8.count] == 0x20
    else {
      if !isComplete, magic.utf8.starts(with: bytes) { throw truncated(bytes.count, at: byte) }
      throw VideoError(
        .badStream,
        "input at byte \(byte): expected a Y4M header that begins with \"\(magic) \", found "
          + (FileKind(bytes).map {
            "\($0.rawValue); decode it first, as in ffmpeg -i FILE -strict -1 -f yuv4mpegpipe - | tdm-filter"
          } ?? VideoError.spelled(bytes)
            + "; for frames without a header give --input-format raw, --size and --pixel-format"))
    }
    guard isComplete else {
      guard bytes.count < longestLine else {
        throw VideoError(
          .badStream,
          "input at byte \(byte): the Y4M header has no newline in its first \(longestLine) bytes; "
            + "expected at most 128; check what writes the stream")
      }
      throw truncated(bytes.count, at: byte)
    }
    if let odd = bytes.firstIndex(where: { !(0x20..<0x7f).contains($0) }) {
      throw VideoError(
        .badStream,
        "input at byte \(byte + odd): expected printable ASCII in the Y4M header, found "
          + "\(VideoError.spelled([bytes[odd]])); check what writes the stream")
    }
    var tags = Y4MHeaderTags()
    var at = magic.utf8.count
    while at < bytes.count {
      let next = bytes[at...].firstIndex(of: 0x20) ?? bytes.count
      if next > at {
        try tags.take(String(decoding: bytes[at..<next], as: UTF8.self), at: byte + at)
      }
      at = next + 1
    }
    return try tags.format(at: byte)
  }

  private static func truncated(_ found: Int, at byte: Int) -> VideoError {
    if byte + found == 0 {
      return VideoError(
        .badStream,
        "input at byte 0: the stream is empty, expected a Y4M header; check what writes it, "
          + "which may have found no input of its own (ffmpeg: it wants -strict -1 above 8 bits, and -pix_fmt "
          + "yuv444p or the like for RGB, palettes and packed pictures)"
      )
    }
    return VideoError(
      .badStream,
      "input at byte \(byte + found): the stream ends inside the Y4M header, \(found) bytes long "
        + "so far; expected \"\(magic)\", its tags and a newline; check what writes the stream")
  }

  /// The most bytes a line that is written may have, newline included: GStreamer reads 80 and no
  /// more, other readers fail beyond.
  static let longestWritten = 79

  /// The header line of `format`, newline included.
  ///
  /// Where it would be too long, what means least goes first: tags of others from the last one, the
  /// interlacing and the range where they say what is meant without them, and then the pixel's
  /// aspect.
  /// - Throws: ``VideoError`` of kind `usage` for a pixel format that Y4M has no name for.
  static func line(for format: StreamFormat) throws(VideoError) -> String {
    guard let tag = Y4MColorTag.tag(for: format.pixelFormat, format.chromaSiting) else {
      throw VideoError(
        .usage,
        "pixel format \"\(format.pixelFormat)\": Y4M has no name for it; expected one like yuv420p "
          + "or yuv444p10le; use raw")
    }
    var tags = ["W\(format.size.width)", "H\(format.size.height)"]
    if let rate = format.frameRate { tags.append("F\(rate.numerator):\(rate.denominator)") }
    if let interlacing = format.interlacing { tags.append("I\(interlacing.rawValue)") }
    if let aspect = format.pixelAspect { tags.append("A\(aspect.numerator):\(aspect.denominator)") }
    tags.append("C\(tag)")
    if let range = format.range { tags.append("XCOLORRANGE=\(range.rawValue.uppercased())") }
    tags += format.extensions

    func joined() -> String { magic + " " + tags.joined(separator: " ") + "\n" }
    let core = tags.count - format.extensions.count
    while joined().utf8.count > longestWritten, tags.count > core { tags.removeLast() }
    // What is meant where it is not said.
    let range = format.pixelFormat.rangeUnlessStated == .limited ? ["XCOLORRANGE=LIMITED"] : []
    for dispensable in ["I?"] + range + ["A"] where joined().utf8.count > longestWritten {
      tags.removeAll { $0.hasPrefix(dispensable) }
    }
    return joined()
  }
}
