import Glibc
import ModelFiles

/// How much of the clean latent is left at each timestep, and what a network's output means under
/// it.
///
/// `alphaBar` is the share of the signal's energy; a latent at timestep t is
/// √alphaBar(t) · clean + √(1 - alphaBar(t)) · noise.
///
/// Reference: Ho et al. 2020, eq. 4; the numbers are those of diffusers' `DDIMScheduler`.
public struct NoiseSchedule: Sendable {
  /// alphaBar of the timesteps 0..<trainStepCount, falling.
  public let alphaBars: [Double]
  /// alphaBar of the clean end, which lies before timestep 0.
  public let cleanAlphaBar: Double
  public let prediction: SchedulerConfig.PredictionType

  /// - Throws: where the file's numbers make no schedule.
  public init(_ config: SchedulerConfig) throws(ModelError) {
    let betas =
      config.trainedBetas.map { $0.map { Float($0) } }
      ?? Betas.make(
        config.betaSchedule, from: config.betaStart, to: config.betaEnd,
        count: config.trainStepCount)
    try self.init(
      betas: config.rescaleBetasZeroSNR ? Betas.rescaledToZeroSNR(betas) : betas,
      setAlphaToOne: config.setAlphaToOne, prediction: config.predictionType)
  }

  /// - Parameter betas: the noise added at each timestep, one or more.
  init(
    betas: [Float], setAlphaToOne: Bool, prediction: SchedulerConfig.PredictionType
  ) throws(ModelError) {
    try self.init(
      alphaBars: Betas.cumulative(betas).map { Double($0) }, setAlphaToOne: setAlphaToOne,
      prediction: prediction)
  }

  /// - Parameter alphaBars: one or more.
  init(
    alphaBars: [Double], setAlphaToOne: Bool, prediction: SchedulerConfig.PredictionType
  ) throws(ModelError) {
    self.alphaBars = alphaBars
    cleanAlphaBar = setAlphaToOne ? 1 : alphaBars[0]
    self.prediction = prediction
    guard alphaBars.allSatisfy({ $0 >= 0 && $0 <= 1 }), alphaBars[0] > 0 else {
      throw ModelError(
        "scheduler/scheduler_config.json: the betas give alphaBar outside 0...1;"
          + " expected 0 <= beta_start <= beta_end < 1")
    }
    guard prediction != .sample || alphaBars[0] < 1 else {
      throw ModelError(
        "scheduler/scheduler_config.json: no noise is there at the cleanest level, where"
          + " prediction_type \"sample\" tells nothing of it; expected a first beta above 0")
    }
  }

  public var trainStepCount: Int { alphaBars.count }

  /// alphaBar of a timestep; a negative one is the clean end.
  public func alphaBar(at timestep: Int) -> Double {
    timestep < 0 ? cleanAlphaBar : alphaBars[timestep]
  }

  /// Whether a network's output tells the clean latent at a timestep: noise alone does not, where
  /// no signal is left.
  public func tellsTheCleanLatent(at timestep: Int) -> Bool {
    prediction != .epsilon || alphaBar(at: timestep) > 0
  }

  /// The timesteps of `count` noise levels with trailing spacing, rising: whatever their count,
  /// inversion and sampling meet on the same, noisiest level.
  /// - Parameters:
  ///   - count: 0 (no levels) or more, at most strength · ``trainStepCount``.
  ///   - strength: the share of the timesteps that is used, 0 < strength <= 1.
  public func levels(_ count: Int, strength: Double) -> [Int] {
    (0..<count).map { level in
      let position = Double(level + 1) * strength * Double(trainStepCount) / Double(count)
      return Int((position + 0.5).rounded(.down)) - 1
    }
  }
}

/// The noise added at each timestep, in the float32 arithmetic that checkpoints were trained with.
enum Betas {
  static func make(
    _ schedule: SchedulerConfig.BetaSchedule, from start: Double, to end: Double, count: Int
  ) -> [Float] {
    switch schedule {
    case .linear:
      return line(from: start, to: end, count: count)
    case .scaledLinear:
      return line(from: start.squareRoot(), to: end.squareRoot(), count: count)
        .map { $0 * $0 }
    case .squaredCosCapV2:
      func alphaBar(_ t: Double) -> Double {
        let cosine = cos((t + 0.008) / 1.008 * Double.pi / 2)
        return cosine * cosine
      }
      return (0..<count).map { step in
        let from = alphaBar(Double(step) / Double(count))
        let to = alphaBar(Double(step + 1) / Double(count))
        return Float(min(1 - to / from, 0.999))
      }
    }
  }

  /// `torch.linspace`: from either end to the middle, one rounding a number.
  private static func line(from start: Double, to end: Double, count: Int) -> [Float] {
    let start = Float(start)
    let end = Float(end)
    guard count > 1 else { return [start] }
    let step = (end - start) / Float(count - 1)
    return (0..<count).map { index in
      index < count / 2
        ? start.addingProduct(step, Float(index))
        : end.addingProduct(-step, Float(count - 1 - index))
    }
  }

  /// Running products of 1 - beta: kept in double, each rounded to float32.
  static func cumulative(_ betas: [Float]) -> [Float] {
    var product = 1.0
    return betas.map { beta in
      product *= Double(1 - beta)
      return Float(product)
    }
  }

  /// Shifts and scales √alphaBar so that the last level holds no signal and the first is as it was.
  ///
  /// Reference: Lin et al. 2023, algorithm 1.
  static func rescaledToZeroSNR(_ betas: [Float]) -> [Float] {
    var roots = cumulative(betas).map { $0.squareRoot() }
    guard let first = roots.first, let last = roots.last, first > last else { return betas }
    let scale = first / (first - last)
    for index in roots.indices { roots[index] = (roots[index] - last) * scale }
    let alphaBars = roots.map { $0 * $0 }
    return alphaBars.indices.map { index in
      1 - (index == 0 ? alphaBars[0] : alphaBars[index] / alphaBars[index - 1])
    }
  }
}
