/// The extents of a picture in pixels, both 1 or more.
public struct PictureSize: Hashable, Sendable, CustomStringConvertible {
  /// The largest width and height taken: more is a damaged header sooner than a picture.
  public static let largestExtent = 32768
  /// The most pixels a picture may have; libavutil's own arithmetic ends at twice as many.
  public static let mostPixels = 1 << 27

  public let width: Int
  public let height: Int

  /// - Throws: ``VideoError`` of kind `usage` where an extent is 0, negative or beyond the limits.
  public init(width: Int, height: Int) throws(VideoError) {
    try self.init(
      width: width, height: height, named: "picture size",
      advice: "check it, or what writes the stream")
  }

  private init(width: Int, height: Int, named name: String, advice: String) throws(VideoError) {
    let range = 1...Self.largestExtent
    guard range.contains(width), range.contains(height), width * height <= Self.mostPixels else {
      throw VideoError(
        .usage,
        "\(name) \(width)x\(height): expected 1 to \(Self.largestExtent) each way and at most "
          + "\(Self.mostPixels) pixels; \(advice)")
    }
    self.width = width
    self.height = height
  }

  /// Reads `WxH`, as in `1920x1080`.
  /// - Throws: ``VideoError`` of kind `usage`.
  public init(parsing text: String) throws(VideoError) {
    let parts = text.split(separator: "x", omittingEmptySubsequences: false)
    guard parts.count == 2, let width = parts[0].wholeNumber, let height = parts[1].wholeNumber
    else {
      throw VideoError(
        .usage, "picture size \"\(text)\": expected WxH in pixels; write it as in 1920x1080")
    }
    try self.init(width: width, height: height)
  }

  public var pixelCount: Int { width * height }

  /// The size `factor` times as wide and high.
  /// - Throws: ``VideoError`` of kind `usage` where that is beyond the limits.
  public func enlarged(by factor: Int) throws(VideoError) -> PictureSize {
    try PictureSize(
      width: width * factor, height: height * factor, named: "enlarged \(factor) times,",
      advice: "reduce the pictures of \(self) first, or choose a task that does not enlarge")
  }

  public var description: String { "\(width)x\(height)" }
}
