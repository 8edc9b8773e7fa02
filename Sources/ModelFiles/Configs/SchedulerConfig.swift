/// The noise schedule that a model was trained with: `scheduler/scheduler_config.json`.
///
/// Whichever of diffusers' schedulers wrote the file, it is read as DDIMScheduler reads it. How
/// that class picks timesteps and clips (`clip_sample`, `thresholding`) is not read: the pipeline's
/// timesteps are its own, and a move that clips cannot be inverted.
public struct SchedulerConfig: Sendable, Equatable {
  /// How beta grows with the timestep.
  public enum BetaSchedule: String, Sendable, CaseIterable {
    case linear
    /// Linear in its square root.
    case scaledLinear = "scaled_linear"
    /// alphaBar is a squared cosine; beta is at most 0.999.
    case squaredCosCapV2 = "squaredcos_cap_v2"
  }

  /// What the network's output is.
  public enum PredictionType: String, Sendable, CaseIterable {
    case epsilon
    case vPrediction = "v_prediction"
    case sample
  }

  public var trainStepCount: Int
  public var betaStart: Double
  public var betaEnd: Double
  /// Of no meaning beside ``trainedBetas``.
  public var betaSchedule: BetaSchedule
  /// Betas that replace the schedule, one for each timestep.
  public var trainedBetas: [Double]?
  /// Whether alphaBar before timestep 0 is 1, not that of timestep 0.
  public var setAlphaToOne: Bool
  public var predictionType: PredictionType
  /// Whether alphaBar is shifted and scaled so that the last timestep is pure noise.
  public var rescaleBetasZeroSNR: Bool

  /// Those whose noise is scheduled by betas.
  static let classNames = [
    "DDIMScheduler", "DDIMInverseScheduler", "DDIMParallelScheduler", "DDPMScheduler",
    "DDPMParallelScheduler", "PNDMScheduler",
    "LMSDiscreteScheduler", "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler",
    "HeunDiscreteScheduler", "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler",
    "DPMSolverMultistepScheduler", "DPMSolverMultistepInverseScheduler",
    "DPMSolverSinglestepScheduler", "DPMSolverSDEScheduler", "SASolverScheduler",
    "UniPCMultistepScheduler", "DEISMultistepScheduler", "LCMScheduler", "TCDScheduler",
  ]

  init(_ reader: ConfigReader) throws(ModelError) {
    try reader.requireClass(.scheduler)
    trainStepCount = try reader.int("num_train_timesteps", default: 1000, in: 1...1_000_000)
    betaStart = try reader.double("beta_start", default: 0.0001, atLeast: 0)
    betaEnd = try reader.double("beta_end", default: 0.02, atLeast: 0)
    setAlphaToOne = try reader.bool("set_alpha_to_one", default: true)
    predictionType = try reader.choice("prediction_type", default: .epsilon)
    rescaleBetasZeroSNR = try reader.bool("rescale_betas_zero_snr", default: false)
    guard betaStart < 1, betaEnd < 1 else {
      throw reader.error(betaStart < 1 ? "beta_end" : "beta_start", expected: "a number below 1")
    }
    if let value = reader.members["trained_betas"], value != .null {
      let betas = value.array?.compactMap(\.real).filter { (0...1).contains($0) } ?? []
      guard betas.count == trainStepCount, betas.count == value.array?.count else {
        throw reader.error(
          "trained_betas", expected: "null or \(trainStepCount) numbers from 0 to 1")
      }
      trainedBetas = betas
      betaSchedule = .linear
    } else {
      betaSchedule = try reader.choice("beta_schedule", default: .linear)
    }
  }
}
