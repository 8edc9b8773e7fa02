/// The noise schedule of a CogVideoX model: `scheduler/scheduler_config.json`, read as
/// CogVideoXDDIMScheduler reads it, whichever of the two wrote it.
public struct CogVideoXSchedulerConfig: Sendable, Equatable {
  /// How the steps' timesteps lie among those of the training.
  public enum Spacing: String, Sendable, CaseIterable {
    case linspace, leading, trailing
  }

  public var trainStepCount: Int
  public var betaStart: Double
  public var betaEnd: Double
  public var betaSchedule: SchedulerConfig.BetaSchedule
  /// Whether alphaBar before timestep 0 is 1, not that of timestep 0.
  public var setAlphaToOne: Bool
  /// Whether alphaBar is shifted and scaled so that the last timestep is pure noise.
  public var rescaleBetasZeroSNR: Bool
  /// What the ratio of signal to noise is divided by at every timestep.
  public var snrShiftScale: Double
  public var timestepSpacing: Spacing
  /// With leading spacing, what is added to every timestep.
  public var stepsOffset: Int

  static let classNames = ["CogVideoXDDIMScheduler", "CogVideoXDPMScheduler"]

  init(_ reader: ConfigReader) throws(ModelError) {
    try reader.requireClass(.scheduler, of: .cogVideoX)
    try reader.require("trained_betas", oneOf: .null)
    guard reader.members["prediction_type"]?.string == "v_prediction" else {
      throw reader.error(
        "prediction_type", expected: "\"v_prediction\"", "nothing else is supported")
    }
    trainStepCount = try reader.int("num_train_timesteps", default: 1000, in: 1...1_000_000)
    betaStart = try reader.double("beta_start", default: 0.00085, atLeast: 0)
    betaEnd = try reader.double("beta_end", default: 0.012, atLeast: 0)
    betaSchedule = try reader.choice("beta_schedule", default: .scaledLinear)
    setAlphaToOne = try reader.bool("set_alpha_to_one", default: true)
    rescaleBetasZeroSNR = try reader.bool("rescale_betas_zero_snr", default: false)
    snrShiftScale = try reader.double("snr_shift_scale", default: 3, atLeast: 1e-3)
    timestepSpacing = try reader.choice("timestep_spacing", default: .leading)
    stepsOffset = try reader.int("steps_offset", default: 0, in: 0...1_000_000)
    guard betaStart < 1, betaEnd < 1 else {
      throw reader.error(betaStart < 1 ? "beta_end" : "beta_start", expected: "a number below 1")
    }
  }
}
