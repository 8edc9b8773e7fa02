import Diffusion

/// An option's value cannot be. One line: which, what was found, what is expected.
public struct OptionError: Error, Equatable, CustomStringConvertible {
  public let description: String

  init(_ option: String, _ found: some CustomStringConvertible, expected: String) {
    description = "\(option) \(found): expected \(expected)"
  }
}

extension RestorationOptions {
  /// Checks every value by itself.
  ///
  /// - Throws: the first that is out of its range.
  public func validate() throws(OptionError) {
    try check("--radius", radius, in: 0...64, note: "frames on either side")
    try check("--fusion", fusion, in: 0...task.mostFusion, note: "frames on either side")
    try check("--history", history, in: 0...1000, note: "frames that came before")
    guard history == 0 || !task.isFusedByRank else {
      throw OptionError(
        "--history", history,
        expected: "0 with --task \(task.rawValue), of which a mean keeps the streaks")
    }
    try check("--fusion-noise", fusionNoise, in: 0...255, note: "of 255 levels")
    try check("--chunk", chunk, in: 0...4096, note: "frames, where 0 is the whole clip")
    try check("--lookahead", lookahead, in: 0...4096, note: "frames")
    try check(
      "--inversion-steps", inversionSteps, in: 0...1000, note: "where 0 is no inversion")
    try check("--steps", steps, in: 1...1000, note: "denoising steps")
    guard strength > 0, strength <= 1 else {
      throw OptionError(
        "--strength", strength, expected: "above 0, at most 1 (1 goes through all noise levels)")
    }
    try check("--guidance", guidance, in: 0...100, note: "where 1 is no guidance")
    try check(
      "--control-scale", controlScale, in: 0...10, note: "where 0 leaves the ControlNet out")
    try check(
      "--inversion-control-scale", inversionControlScale, in: 0...10,
      note: "where 0 leaves the ControlNet out")
    // Messages tell it, so that another run can be given it, and their whole numbers end there.
    try check("--seed", seed, in: 0...UInt64(Int.max), note: "what a frame's number is added to")
    try check("--amount", amount, in: 0...2, note: "of the change, where 1 is all of it")
    if workSize != 0 {
      try check(
        "--work-size", workSize, in: 64...16384,
        note: "pixels along the longer side; or 0 for the frames' own size")
      guard task.enlargement == 1 else {
        throw OptionError(
          "--work-size", workSize,
          expected: "0 with --task \(task.rawValue), whose detail would be lost")
      }
    }
    if method == .zeroShot { try validateZeroShot() }
  }

  private func validateZeroShot() throws(OptionError) {
    guard task == .derain else {
      throw OptionError(
        "--task", task.rawValue, expected: "derain, which is all that --method zero-shot does")
    }
    try check(
      "--skip", zeroShot.skip, in: 0...steps - 1, note: "of --steps \(steps), the noisiest")
    try check("--segment", zeroShot.segment, in: 1...4096, note: "frames")
    try check(
      "--overlap", zeroShot.overlap, in: 0...zeroShot.segment - 1,
      note: "frames, fewer than --segment \(zeroShot.segment)")
  }

  /// Checks that what comes out is made by the same method and stays as large as with other
  /// options.
  func validate(asSuccessorOf other: RestorationOptions) throws(OptionError) {
    guard method == other.method else {
      throw OptionError(
        "--method", method.rawValue, expected: "\(other.method.rawValue), as it was")
    }
    guard task.enlargement == other.task.enlargement else {
      throw OptionError(
        "--task", task.rawValue,
        expected: "one that enlarges \(other.task.enlargement) times, as \(other.task.rawValue)")
    }
  }

  /// Checks that networks which were planned for other options can follow these.
  func validate(asChangeOf other: RestorationOptions) throws(OptionError) {
    try validate(asSuccessorOf: other)
    guard usesControl == other.usesControl else {
      throw OptionError(
        "--control-scale", controlScale,
        expected: "the ControlNet \(other.usesControl ? "used" : "left out"), as it was")
    }
    guard readsWindowInControlNet == other.readsWindowInControlNet else {
      throw OptionError(
        "--window-in-controlnet", "\(windowInControlNet) with --control-scale \(controlScale)",
        expected:
          "the ControlNet's window \(other.readsWindowInControlNet ? "read" : "left alone"), as it was"
      )
    }
  }

  /// Checks strength and the numbers of moves against the levels that a model's noise schedule has.
  func validate(for schedule: NoiseSchedule) throws(OptionError) {
    let available = Int(strength * Double(schedule.trainStepCount) + 0.5)
    guard available >= 1 else {
      throw OptionError(
        "--strength", strength,
        expected: "\(0.5 / Double(schedule.trainStepCount)) or more, the model's first noise level")
    }
    guard schedule.tellsTheCleanLatent(at: schedule.levels(1, strength: strength)[0]) else {
      throw OptionError(
        "--strength", strength,
        expected:
          "less: no signal is left at that noise level of the model's, where prediction_type \"epsilon\" means nothing"
      )
    }
    let note = "noise levels that the model has at --strength \(strength)"
    try check("--inversion-steps", inversionSteps, in: 0...available, note: note)
    try check("--steps", steps, in: 1...available, note: note)
  }

  private func check<Number: Comparable & CustomStringConvertible>(
    _ option: String, _ value: Number, in range: ClosedRange<Number>, note: String
  ) throws(OptionError) {
    guard range.contains(value) else {
      throw OptionError(
        option, value, expected: "\(range.lowerBound) to \(range.upperBound) (\(note))")
    }
  }
}
