/// A stream of frames that is read. One thread at a time uses it.
public protocol FrameReader: AnyObject, Sendable {
  /// What is known of the stream; it does not change.
  var format: StreamFormat { get }

  /// Waits for the next frame.
  /// - Returns: nil at the end of the stream, and where reading was interrupted.
  /// - Throws: ``VideoError`` where the stream is damaged or cannot be read. All whole frames
  ///   before that were returned.
  func next() throws(VideoError) -> Frame?
}

/// What the user says of an input.
public struct InputDescription: Sendable {
  /// Nil: Y4M where the stream begins as one, else raw if size and pixel format are given.
  public var container: Container?
  /// Raw only.
  public var size: PictureSize?
  /// Raw only.
  public var pixelFormat: PixelFormat?
  /// Raw: the rate. Y4M: the rate of a stream that does not say one.
  public var frameRate: Ratio?
  /// Y4M cannot say; raw neither.
  public var matrix: ColorMatrix?
  /// Stands above what a Y4M header says.
  public var range: ColorRange?

  public init(
    container: Container? = nil, size: PictureSize? = nil, pixelFormat: PixelFormat? = nil,
    frameRate: Ratio? = nil, matrix: ColorMatrix? = nil, range: ColorRange? = nil
  ) {
    self.container = container
    self.size = size
    self.pixelFormat = pixelFormat
    self.frameRate = frameRate
    self.matrix = matrix
    self.range = range
  }

  /// - Throws: ``VideoError`` of kind `usage` where, whatever the stream is, this cannot be said of
  ///   it.
  public func validate() throws(VideoError) {
    switch container {
    case .y4m where size != nil || pixelFormat != nil:
      throw VideoError(
        .usage,
        "\(size == nil ? "--pixel-format" : "--size") is for raw input, and a Y4M header tells it; leave it out, "
          + "or give --input-format raw")
    case .raw: _ = try look()
    default: break
    }
  }

  /// How raw frames look.
  private func look() throws(VideoError) -> (PictureSize, PixelFormat) {
    if let size, let pixelFormat { return (size, pixelFormat) }
    let found =
      size != nil ? "no --pixel-format" : pixelFormat != nil ? "no --size" : "neither"
    throw VideoError(
      .usage,
      "raw frames do not say how they look: expected --size and --pixel-format, found \(found); "
        + "give both, as in --size 1920x1080 --pixel-format yuv420p")
  }

  /// Reads as much of `source` as tells what the stream is.
  /// - Throws: ``VideoError``: `usage` as ``validate()`` does, and where raw lacks its size or
  ///   pixel format, `badStream` for a header that is none, `transfer` where reading fails.
  public func open(_ source: ByteSource) throws(VideoError) -> any FrameReader {
    try validate()
    let known: Container
    if let container { known = container } else { known = try recognized(source) }
    switch known {
    case .y4m:
      let reader = try Y4MReader(source, overriding: self)
      if let size, size != reader.format.size {
        throw VideoError(
          .usage, "--size \(size): the Y4M header says \(reader.format.size); leave it out")
      }
      if let pixelFormat, pixelFormat != reader.format.pixelFormat {
        throw VideoError(
          .usage,
          "--pixel-format \(pixelFormat): the Y4M header says \(reader.format.pixelFormat); "
            + "leave it out")
      }
      return reader
    case .raw:
      let (size, pixelFormat) = try look()
      return RawReader(
        source,
        StreamFormat(
          container: .raw, size: size, pixelFormat: pixelFormat,
          matrix: matrix, range: range, frameRate: frameRate))
    }
  }

  /// Whatever is no Y4M, and of which nothing was said, is given to the Y4M reader, whose error
  /// says what it found.
  private func recognized(_ source: ByteSource) throws(VideoError) -> Container {
    guard size != nil || pixelFormat != nil else { return .y4m }
    let beginning = try source.peek(Y4MHeader.magic.utf8.count)
    return beginning.elementsEqual(Y4MHeader.magic.utf8) ? .y4m : .raw
  }
}
