import Video

/// A frame that was read, on its way to the computing.
struct Arrival: Sendable {
  let frame: Frame
  /// When its last byte had been read.
  let instant: ContinuousClock.Instant
  /// Whether what came before is another clip. Where the first frame of a clip was left out, the
  /// next one says it.
  let beginsClip: Bool
  /// Whether it goes out as it came; see ``WhenLate/passthrough``.
  var isLate = false
}

/// A frame that is done, on its way to the writer.
struct Departure: Sendable {
  let frame: Frame
  /// When the last byte of the frame that it was made of had been read.
  let arrival: ContinuousClock.Instant
}
