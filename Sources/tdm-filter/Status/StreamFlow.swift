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
}
