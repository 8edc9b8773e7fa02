import ModelFiles
import Testing

@testable import Diffusion

/// Bit patterns of `DDIMScheduler(...).alphas_cumprod` (diffusers) at the timesteps 0, 1, n / 2, n
/// - 2 and n - 1.
struct ScheduleCase: Sendable, CustomTestStringConvertible {
  let schedule: SchedulerConfig.BetaSchedule
  let start, end: Double
  let count: Int
  let zeroSNR: Bool
  let bits: [UInt32]

  var testDescription: String { "\(schedule.rawValue), \(count) timesteps, zero SNR \(zeroSNR)" }

  static let all = [
    ScheduleCase(
      schedule: .linear, start: 1e-4, end: 2e-2, count: 1000, zeroSNR: false,
      bits: [1_065_351_538, 1_065_349_526, 1_033_851_866, 942_455_494, 942_229_094]),
    ScheduleCase(
      schedule: .linear, start: 1e-4, end: 2e-2, count: 1000, zeroSNR: true,
      bits: [1_065_351_538, 1_065_349_514, 1_033_509_550, 831_571_032, 0]),
    ScheduleCase(
      schedule: .scaledLinear, start: 0.00085, end: 0.012, count: 1000, zeroSNR: false,
      bits: [1_065_338_955, 1_065_324_628, 1_049_459_571, 999_984_771, 999_863_222]),
    ScheduleCase(
      schedule: .scaledLinear, start: 0.00085, end: 0.012, count: 1000, zeroSNR: true,
      bits: [1_065_338_955, 1_065_323_579, 1_047_973_271, 877_874_935, 0]),
    ScheduleCase(
      schedule: .scaledLinear, start: 0.00085, end: 0.012, count: 777, zeroSNR: false,
      bits: [1_065_338_955, 1_065_324_605, 1_052_558_456, 1_015_008_436, 1_014_807_267]),
    ScheduleCase(
      schedule: .squaredCosCapV2, start: 0, end: 0, count: 1000, zeroSNR: false,
      bits: [1_065_352_523, 1_065_351_749, 1_056_705_737, 908_262_883, 824_633_026]),
    ScheduleCase(
      schedule: .squaredCosCapV2, start: 0, end: 0, count: 1000, zeroSNR: true,
      bits: [1_065_352_526, 1_065_351_752, 1_056_705_066, 907_598_987, 0]),
    ScheduleCase(
      schedule: .linear, start: 1e-3, end: 2e-1, count: 100, zeroSNR: false,
      bits: [1_065_336_439, 1_065_285_989, 1_032_357_886, 936_758_841, 933_956_449]),
  ]
}

func makeSchedule(
  _ prediction: SchedulerConfig.PredictionType, setAlphaToOne: Bool = false, zeroSNR: Bool = false
) throws -> NoiseSchedule {
  let betas = Betas.make(.scaledLinear, from: 0.00085, to: 0.012, count: 1000)
  return try NoiseSchedule(
    betas: zeroSNR ? Betas.rescaledToZeroSNR(betas) : betas, setAlphaToOne: setAlphaToOne,
    prediction: prediction)
}

@Suite struct NoiseScheduleTests {
  @Test("alphaBar is DDIMScheduler's to the last bit", arguments: ScheduleCase.all)
  func alphaBarIsTheReferences(_ known: ScheduleCase) throws {
    var betas = Betas.make(known.schedule, from: known.start, to: known.end, count: known.count)
    if known.zeroSNR { betas = Betas.rescaledToZeroSNR(betas) }
    let schedule = try NoiseSchedule(betas: betas, setAlphaToOne: false, prediction: .vPrediction)
    let timesteps = [0, 1, known.count / 2, known.count - 2, known.count - 1]
    for (timestep, bits) in zip(timesteps, known.bits) {
      // Rescaling takes square roots, and PyTorch's vectorized ones are not always rounded to the
      // nearest.
      let tolerance = known.zeroSNR ? 1e-6 : 0
      let expected = Double(Float(bitPattern: bits))
      #expect(abs(schedule.alphaBars[timestep] - expected) <= tolerance * expected)
    }
    #expect(schedule.trainStepCount == known.count)
  }

  @Test("alphaBar never rises and stays within 0...1")
  func alphaBarFalls() throws {
    for zeroSNR in [false, true] {
      let bars = try makeSchedule(.vPrediction, zeroSNR: zeroSNR).alphaBars
      #expect(zip(bars, bars.dropFirst()).allSatisfy { $0 > $1 })
      #expect(bars.allSatisfy { (0...1).contains($0) })
    }
  }

  @Test("The clean end is alphaBar 1 or that of timestep 0")
  func cleanEnd() throws {
    #expect(try makeSchedule(.epsilon, setAlphaToOne: true).alphaBar(at: -1) == 1)
    let schedule = try makeSchedule(.epsilon, setAlphaToOne: false)
    #expect(schedule.alphaBar(at: -1) == schedule.alphaBar(at: 0))
  }

  @Test("Noise alone does not tell the clean latent where no signal is left")
  func zeroSNRWithEpsilon() throws {
    for prediction in SchedulerConfig.PredictionType.allCases {
      let schedule = try makeSchedule(prediction, zeroSNR: true)
      let last = schedule.trainStepCount - 1
      #expect(schedule.tellsTheCleanLatent(at: last) == (prediction != .epsilon))
      #expect(schedule.tellsTheCleanLatent(at: last - 1))
    }
  }

  @Test("Noise cannot be told from a sample where there is none: refused")
  func sampleWithoutNoiseIsRefused() throws {
    for prediction in SchedulerConfig.PredictionType.allCases {
      func schedule(_ first: Float) throws -> NoiseSchedule {
        try NoiseSchedule(betas: [first, 0.1], setAlphaToOne: true, prediction: prediction)
      }
      #expect(throws: Never.self) { try schedule(0.01) }
      if prediction == .sample {
        #expect(throws: ModelError.self) { try schedule(0) }
      } else {
        #expect(throws: Never.self) { try schedule(0) }
      }
    }
  }

  @Test("Betas of 1 or below 0 are refused")
  func badBetasAreRefused() {
    for betas: [Float] in [[1], [0.1, -0.5], [.nan], [2]] {
      #expect(throws: ModelError.self) {
        try NoiseSchedule(betas: betas, setAlphaToOne: true, prediction: .vPrediction)
      }
    }
  }

  @Test("Levels are spaced trailing, as the reference's")
  func levelsAreTrailing() throws {
    let schedule = try makeSchedule(.epsilon)
    #expect(
      schedule.levels(10, strength: 1) == [99, 199, 299, 399, 499, 599, 699, 799, 899, 999])
    #expect(schedule.levels(3, strength: 1) == [332, 666, 999])
    #expect(schedule.levels(4, strength: 0.6) == [149, 299, 449, 599])
    #expect(schedule.levels(1, strength: 0.0015) == [1])
    #expect(schedule.levels(1000, strength: 1) == Array(0..<1000))
  }

  @Test("Whatever their number, levels rise and end on the same timestep")
  func levelsMeet() throws {
    let schedule = try makeSchedule(.epsilon)
    for strength in [0.1, 0.35, 0.6, 1] {
      let top = schedule.levels(1, strength: strength)[0]
      for count in 1...100 {
        let levels = schedule.levels(count, strength: strength)
        #expect(levels.count == count && levels[0] >= 0 && levels.last == top)
        #expect(zip(levels, levels.dropFirst()).allSatisfy { $0 < $1 })
      }
    }
  }
}
