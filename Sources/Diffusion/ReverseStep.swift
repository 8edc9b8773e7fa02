import ModelFiles

/// One step of DDPM sampling, from a timestep to the next cleaner one: x' = move(x) + deviation ·
/// noise.
///
/// Edit-friendly inversion draws the noisy latents of a clip first, each by itself, and then takes
/// for the noise of every step what leads from one of them to the next: so the clip comes back
/// exactly, and an edit keeps what it does not change.
///
/// Reference: Ho et al. 2020, algorithm 2; Huberman-Spiegelglas et al. 2024, eq. 5 and 6.
public struct ReverseStep: Sendable, Equatable {
  public let timestep: Int
  /// The mean of the cleaner latent, of the noisier one and the network's output.
  public let move: Move
  /// Of the noise that is added to it.
  public let deviation: Float
  /// How the noisier latent is made of the clean one and of noise: signal · clean + noise ·
  /// normals.
  public let signal, noise: Float
}

extension NoiseSchedule {
  /// The steps of sampling in `count` steps, the cleanest first.
  /// - Parameter count: 1 to ``trainStepCount``.
  /// - Throws: where the configuration's offset leads beyond the last timestep, or a step divides
  ///   by no noise.
  public func reverseSteps(
    _ count: Int, _ config: CogVideoXSchedulerConfig
  ) throws(ModelError) -> [ReverseStep] {
    let stride = trainStepCount / count
    return try timesteps(count, config).map { timestep throws(ModelError) in
      guard timestep < trainStepCount else {
        throw ModelError(
          "scheduler/scheduler_config.json: steps_offset: expected 0 to \(trainStepCount - 1 - (timestep - config.stepsOffset)) "
            + "with \(count) steps, found \(config.stepsOffset)")
      }
      let (here, there) = (alphaBar(at: timestep), alphaBar(at: timestep - stride))
      let variance = (1 - there) / (1 - here) * (1 - here / there)
      guard variance.isFinite else {
        throw ModelError(
          "scheduler/scheduler_config.json: beta_start: expected a number above 0, by which timestep \(timestep) has some noise, "
            + "found \(config.betaStart)")
      }
      return ReverseStep(
        timestep: timestep, move: move(from: timestep, to: timestep - stride),
        deviation: Float(max(variance, 0).squareRoot()), signal: Float(here.squareRoot()),
        noise: Float((1 - here).squareRoot()))
    }
  }

  /// Rising: the numbers that numpy works out, down to its rounding (`linspace` multiplies a
  /// rounded step, `arange` a rounded difference), by which some lie a timestep apart. Halves go to
  /// even.
  private func timesteps(_ count: Int, _ config: CogVideoXSchedulerConfig) -> [Int] {
    func round(_ x: Double) -> Int { Int(x.rounded(.toNearestOrEven)) }
    let (total, last) = (Double(trainStepCount), Double(trainStepCount - 1))
    return (0..<count).map { index in
      switch config.timestepSpacing {
      case .linspace:
        index > 0 && index == count - 1
          ? trainStepCount - 1 : round(Double(index) * (last / Double(max(count - 1, 1))))
      case .leading: index * (trainStepCount / count) + config.stepsOffset
      case .trailing:
        round(total + Double(count - 1 - index) * ((total - total / Double(count)) - total)) - 1
      }
    }
  }
}
