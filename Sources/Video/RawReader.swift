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
