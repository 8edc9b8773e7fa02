/// Frames that follow each other without anything between.
public final class RawReader: FrameReader, @unchecked Sendable {
  // Sendable: one thread at a time uses it.
  public let format: StreamFormat
  private let source: ByteSource
  private let pool: FramePool
  private var frameCount = 0

  public init(_ source: ByteSource, _ format: StreamFormat) {
    self.format = format
    self.source = source
    pool = FramePool(format.layout)
  }

  public func next() throws(VideoError) -> Frame? {
    guard try !source.peek(1).isEmpty else { return nil }
    let frame = try pool.frame(number: frameCount, beginsSequence: frameCount == 0)
    guard try source.fill(frame) else { return nil }
    frameCount += 1
    return frame
  }
}

extension ByteSource {
  /// Reads a frame's bytes straight into it; false where reading was interrupted within it.
  /// - Throws: ``VideoError`` of kind `badStream` where the stream ends within it.
  func fill(_ frame: Frame) throws(VideoError) -> Bool {
    let wanted = frame.layout.byteCount
    let found = try frame.withMutableBytes { bytes throws(VideoError) in try fill(bytes) }
    if found == wanted { return true }
    if wasInterrupted { return false }
    throw VideoError(
      .badStream,
      "input at byte \(position): the stream ends inside frame \(frame.number): expected \(wanted) "
        + "bytes of pixels (\(frame.layout.size) \(frame.layout.pixelFormat)), found \(found); the "
        + "\(frame.number) frames before it are whole; check the size and pixel format, and what "
        + "writes the stream")
  }
}
