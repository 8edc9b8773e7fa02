/// A run that clients control, and what it is fed.
enum ControlledRun {
  /// Of a frame, its line included.
  static let frameByteCount = Y4M.frameByteCount + "FRAME\n".utf8.count
  static let streaming = ["--chunk", "2", "--lookahead", "1", "--radius", "2"]

  static func start(
    _ path: String, _ more: [String] = [], status: FilterProcess.Status = .none
  ) throws -> FilterProcess {
    try FilterProcess(
      Tiny.model() + Tiny.steps + streaming + ["--control", path] + more, status: status)
  }

  /// A stream's header, and then its frames one by one.
  static func pieces(_ frames: Int) -> (header: [UInt8], frames: [[UInt8]]) {
    let stream = Y4M().stream(frames: frames)
    let header = stream.firstIndex(of: 0x0a)! + 1
    return (
      Array(stream[..<header]),
      (0..<frames).map {
        Array(stream[header + $0 * frameByteCount..<header + ($0 + 1) * frameByteCount])
      }
    )
  }
}
