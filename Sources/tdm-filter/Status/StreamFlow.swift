import ControlProtocol
import Video

/// What is known of a stream when its frames begin to flow; progress is told by it.
struct StreamFlow: Sendable {
  let start: ContinuousClock.Instant
  /// Frames a second, where the stream or the user says.
  let rate: Ratio?
  /// Frames in the whole input, where it is a file or the user says.
  let frameCount: Int?
  /// Whether that is what the user expects.
  var isEstimate = false

  /// To the last frame; nil where it cannot be told: before a frame is out, where nobody knows how
  /// many there are, and where more have come than were expected.
  func secondsLeft(after progress: Progress) -> Double? {
    guard let frameCount, progress.framesPerSecond > 0,
      !isEstimate || progress.framesIn <= frameCount
    else { return nil }
    let left = max(0, frameCount - progress.framesSkipped - progress.framesOut)
    return Double(left) / progress.framesPerSecond
  }
}
