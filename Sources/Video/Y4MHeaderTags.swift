/// The tags of a Y4M header as they are read, one after the other.
struct Y4MHeaderTags {
  private var width: Int?
  private var height: Int?
  private var color: (text: String, byte: Int)?
  private var subsampling: (text: String, byte: Int)?
  private var rate: Ratio??
  private var aspect: Ratio??
  private var interlacing: Interlacing?
  private var range: ColorRange?
  private var extensions: [String] = []

  /// Takes the tag that begins at `byte` of the stream.
  mutating func take(_ tag: String, at byte: Int) throws(VideoError) {
    let value = String(tag.dropFirst())
    switch tag.first {
    case "W": width = try once(width, tag, byte, Self.extent(tag, value, byte))
    case "H": height = try once(height, tag, byte, Self.extent(tag, value, byte))
    case "C": color = try once(color, tag, byte, (value, byte))
    case "F": rate = .some(try once(rate, tag, byte, Self.ratio(tag, value, byte)))
    case "A": aspect = .some(try once(aspect, tag, byte, Self.ratio(tag, value, byte)))
    case "I":
      guard value.count == 1, let known = Interlacing(rawValue: value.first!) else {
        throw Self.malformed(tag, byte, "I and one of ? p t b m")
      }
      interlacing = try once(interlacing, tag, byte, known)
    case "X" where tag.hasPrefix("XCOLORRANGE="):
      guard
        let known = ColorRange.allCases.first(where: {
          tag == "XCOLORRANGE=\($0.rawValue.uppercased())"
        })
      else { throw Self.malformed(tag, byte, "XCOLORRANGE=FULL or XCOLORRANGE=LIMITED") }
      range = known
    case "X" where tag.hasPrefix("XYSCSS="):
      // What ffmpeg repeats from C, and older programs wrote instead of it.
      subsampling = (tag.dropFirst("XYSCSS=".count).lowercased(), byte)
    default: extensions.append(tag)
    }
  }

  /// What the tags say together, for a header that begins at `byte`.
  func format(at byte: Int) throws(VideoError) -> StreamFormat {
    guard let width, let height else {
      throw VideoError(
        .badStream,
        "Y4M header at byte \(byte): expected W and H, found no \(width == nil ? "W" : "H"); check "
          + "what writes the stream")
    }
    let size: PictureSize
    do { size = try PictureSize(width: width, height: height) } catch {
      throw VideoError(.badStream, "Y4M header at byte \(byte): \(error)")
    }
    let stated = color ?? subsampling ?? (Y4MColorTag.unlessStated, byte)
    guard let (pixelFormat, siting) = try Y4MColorTag.meaning(of: stated.text) else {
      let known = Y4MColorTag.all.map(\.tag).joined(separator: " ")
      throw VideoError(
        .badStream,
        "Y4M header at byte \(stated.byte): unknown colour space \"\(stated.text)\"; expected one "
          + "of \(known); have ffmpeg write the one of them that is nearest, as by -pix_fmt yuv444p16le "
          + "-strict -1")
    }
    return StreamFormat(
      container: .y4m, size: size, pixelFormat: pixelFormat, chromaSiting: siting, range: range,
      frameRate: rate ?? nil, interlacing: interlacing, pixelAspect: aspect ?? nil,
      extensions: extensions)
  }

  private func once<T>(_ known: T?, _ tag: String, _ byte: Int, _ value: T) throws(VideoError) -> T
  {
    guard known == nil else {
      throw VideoError(
        .badStream,
        "Y4M header at byte \(byte): found a second \(tag.prefix(1)), \"\(tag)\"; expected one; "
          + "check what writes the stream")
    }
    return value
  }

  private static func extent(_ tag: String, _ value: String, _ byte: Int) throws(VideoError) -> Int
  {
    guard let extent = value.wholeNumber else {
      throw malformed(tag, byte, "\(tag.prefix(1)) and a number of pixels")
    }
    return extent
  }

  /// Nil for 0:0, which says that it is not known, and for 0:1, by which GStreamer says so.
  private static func ratio(_ tag: String, _ value: String, _ byte: Int) throws(VideoError)
    -> Ratio?
  {
    let parts = value.split(separator: ":", omittingEmptySubsequences: false).map(\.wholeNumber)
    guard parts.count == 2, let numerator = parts[0], let denominator = parts[1],
      numerator == 0 || denominator > 0
    else { throw malformed(tag, byte, "\(tag.prefix(1)) and a ratio like 30000:1001, or 0:0") }
    return numerator == 0 ? nil : Ratio(numerator, denominator)
  }

  private static func malformed(_ tag: String, _ byte: Int, _ expected: String) -> VideoError {
    VideoError(
      .badStream,
      "Y4M header at byte \(byte): expected \(expected), found \"\(tag)\"; check what writes the "
        + "stream"
    )
  }
}
