import StrictJSON

/// How far the stream has come.
package struct Progress: Sendable {
  package var framesIn, framesOut: Int
  /// Frames that were late: left out, and passed through unrestored.
  package var framesSkipped, framesPassedThrough: Int
  package var sceneCuts: Int
  /// Since ``Event/ready``.
  package var seconds: Double
  /// Until the last frame, where the input's length is known.
  package var secondsLeft: Double?

  package init(
    framesIn: Int, framesOut: Int, framesSkipped: Int, framesPassedThrough: Int, sceneCuts: Int,
    seconds: Double, secondsLeft: Double? = nil
  ) {
    self.framesIn = framesIn
    self.framesOut = framesOut
    self.framesSkipped = framesSkipped
    self.framesPassedThrough = framesPassedThrough
    self.sceneCuts = sceneCuts
    self.seconds = seconds
    self.secondsLeft = secondsLeft
  }

  /// Frames that have come and not yet left.
  package var framesHeld: Int { framesIn - framesSkipped - framesOut }

  /// Frames written a second since ``Event/ready``.
  package var framesPerSecond: Double { seconds > 0 ? Double(framesOut) / seconds : 0 }

  package func write(to line: inout JSONLine) {
    line.add("frames_in", .integer(framesIn))
    line.add("frames_out", .integer(framesOut))
    line.add("frames_held", .integer(framesHeld))
    line.add("frames_skipped", .integer(framesSkipped))
    line.add("frames_passed_through", .integer(framesPassedThrough))
    line.add("scene_cuts", .integer(sceneCuts))
    line.add("seconds", .rounded(seconds))
    line.add("fps", .rounded(framesPerSecond))
    line.add("eta_seconds", secondsLeft.map { JSON.rounded($0) })
  }
}
