/// A stream of frames that is written, Y4M or raw as its format says. One thread at a time uses it.
public final class FrameWriter: @unchecked Sendable {
  // Sendable: one thread at a time uses it.
  public let format: StreamFormat
  /// Frames written so far.
  public private(set) var frameCount = 0
  /// When the first byte of the last frame had gone out, its FRAME line included.
  public private(set) var firstByteInstant = ContinuousClock.now
  private let sink: ByteSink
  private let layout: FrameLayout
  private var header: String?

  /// Nothing is written yet.
  /// - Throws: ``VideoError`` of kind `usage` for a pixel format that Y4M has no name for.
  public init(_ sink: ByteSink, _ format: StreamFormat) throws(VideoError) {
    self.format = format
    self.sink = sink
    layout = format.layout
    header = format.container == .y4m ? try Y4MHeader.line(for: format) : nil
  }

  /// Writes the frame, and before the first one the header.
  /// - Precondition: the frame has the stream's layout.
  public func write(_ frame: Frame) throws(VideoError) {
    precondition(
      frame.layout == layout, "a frame of \(frame.layout.size) in a stream of \(layout.size)")
    do throws(VideoError) {
      try writeHeader()
      if format.container == .y4m {
        try sink.write(Self.line(frame.parameters))
        firstByteInstant = sink.firstByteInstant
      }
      try frame.withBytes { bytes throws(VideoError) in try sink.write(bytes) }
      if format.container == .raw { firstByteInstant = sink.firstByteInstant }
    } catch {
      throw VideoError(error.kind, error.description + "; frames written whole: \(frameCount)")
    }
    frameCount += 1
  }

  /// Ends the stream: one without frames still gets its header.
  public func finish() throws(VideoError) {
    try writeHeader()
    try sink.finish()
  }

  private func writeHeader() throws(VideoError) {
    guard let header else { return }
    try sink.write(header)
    self.header = nil
  }

  /// The line before a frame. Parameters go from the last one where it would be longer than readers
  /// take.
  private static func line(_ parameters: String) -> String {
    guard !parameters.isEmpty else { return "FRAME\n" }
    var line = "FRAME " + parameters
    while line.utf8.count >= Y4MHeader.longestWritten {
      line = line.lastIndex(of: " ").map { String(line[..<$0]) } ?? "FRAME"
    }
    return line + "\n"
  }
}
