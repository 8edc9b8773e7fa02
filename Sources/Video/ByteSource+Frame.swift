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
        + "bytes of pixels (\(frame.layout.size) \(frame.layout.pixelFormat)), found \(found); "
        + "whole frames before it: \(frame.number); check the size and pixel format, and what writes "
        + "the stream")
  }
}
