import StrictJSON
import Testing

@testable import Diffusion
@testable import ModelFiles

@Suite("The steps of zero-shot deraining")
struct ReverseStepTests {
  private func config(_ spacing: CogVideoXSchedulerConfig.Spacing) throws
    -> CogVideoXSchedulerConfig
  {
    try CogVideoXSchedulerConfig(
      ConfigReader(
        file: "scheduler_config.json",
        members: [
          "_class_name": .string("CogVideoXDDIMScheduler"),
          "beta_schedule": .string("scaled_linear"), "prediction_type": .string("v_prediction"),
          "timestep_spacing": .string(spacing.rawValue), "rescale_betas_zero_snr": .bool(true),
          "snr_shift_scale": .integer(3),
        ]))
  }

  /// By diffusers 0.42.1: `CogVideoXDDIMScheduler(...).alphas_cumprod`.
  @Test("alphaBar is that of diffusers' scheduler")
  func alphaBars() throws {
    let schedule = try NoiseSchedule(config(.trailing))
    for (timestep, expected) in knownAlphaBars {
      #expect(abs(schedule.alphaBar(at: timestep) - expected) <= 1e-12 * max(expected, 1e-3))
    }
    #expect(schedule.alphaBar(at: 999) == 0 && schedule.alphaBar(at: -1) == 1)
  }

  private let knownAlphaBars: [(Int, Double)] = [
    (0, 0.9974543276430069), (1, 0.9948006264269799), (99, 0.7308668667588629),
    (500, 0.09532810086292638), (900, 0.0009454530205167825), (998, 6.230788467394798e-08),
  ]

  /// By the same, `set_timesteps`.
  @Test("Timesteps are those of diffusers' scheduler")
  func timesteps() throws {
    for (spacing, count, first, last) in [
      (.trailing, 100, [9, 19, 29], [979, 989, 999]),
      (.trailing, 7, [142, 285, 428], [713, 856, 999]),
      (.trailing, 30, [32, 66, 99], [932, 966, 999]),
      (.leading, 100, [0, 10, 20], [970, 980, 990]),
      (.leading, 7, [0, 142, 284], [568, 710, 852]),
      (.linspace, 100, [0, 10, 20], [979, 989, 999]),
      (.linspace, 7, [0, 166, 333], [666, 832, 999]),
    ]
      as [(CogVideoXSchedulerConfig.Spacing, Int, [Int], [Int])]
    {
      let config = try config(spacing)
      let steps = try NoiseSchedule(config).reverseSteps(count, config)
      let timesteps = steps.map(\.timestep)
      #expect(timesteps.count == count)
      #expect(Array(timesteps.prefix(3)) == first && Array(timesteps.suffix(3)) == last)
    }
  }

  /// Checksums of the same for every number of steps from 1 to 1000 for which it gives as many
  /// timesteps: numpy's rounding decides in many of them.
  @Test(
    "Timesteps are those of diffusers' scheduler for every number of steps",
    arguments: [
      (CogVideoXSchedulerConfig.Spacing.trailing, 628_070_138_583_192_907),
      (.leading, 2_130_028_025_258_202_851), (.linspace, 37_605_526_187_955_725),
    ])
  func everyCount(spacing: CogVideoXSchedulerConfig.Spacing, expected: Int) throws {
    let config = try config(spacing)
    let schedule = try NoiseSchedule(config)
    var sum = 0
    for count in 1...1000 where spacing != .trailing || !Self.oneTooMany.contains(count) {
      for (index, step) in try schedule.reverseSteps(count, config).enumerated() {
        // 31 times a number below 2^61 - 1 is taken apart, so that it fits.
        let (high, low) = sum.multipliedFullWidth(by: 31)
        sum = ((1 << 61) - 1).dividingFullWidth((high, low)).remainder
        sum = (sum + step.timestep + index + count) % ((1 << 61) - 1)
      }
    }
    #expect(sum == expected)
  }

  /// Numbers of steps for which `arange` gives one timestep more.
  private static let oneTooMany: Set = [
    61, 103, 121, 122, 201, 206, 217, 223, 227, 233, 242, 244, 397, 402, 412, 419, 434, 446, 454,
    457, 463,
    465, 466, 484, 485, 487, 488, 497, 499, 769, 794, 804, 805, 824, 829, 835, 838, 868, 871, 887,
    892, 908,
    914, 926, 930, 932, 937, 941, 951, 961, 965, 968, 970, 974, 975, 976, 979, 981, 985, 994, 995,
    998,
  ]

  @Test("A schedule without noise at its cleanest level is refused where that level is needed")
  func noNoise() throws {
    var config = try config(.leading)
    config.betaStart = 0
    config.rescaleBetasZeroSNR = false
    let schedule = try NoiseSchedule(config)
    #expect(throws: ModelError.self) { try schedule.reverseSteps(10, config) }
    config.timestepSpacing = .trailing
    #expect(try schedule.reverseSteps(10, config).count == 10)
  }

  @Test("From pure noise to the clean end nothing is divided by zero")
  func ends() throws {
    let config = try config(.trailing)
    let steps = try NoiseSchedule(config).reverseSteps(10, config)
    let noisiest = try #require(steps.last)
    #expect(noisiest.signal == 0 && noisiest.noise == 1 && noisiest.deviation > 0)
    #expect(noisiest.move.latentFactor.isFinite && noisiest.move.outputFactor.isFinite)
    // The step to the clean latent adds no noise.
    let one = try NoiseSchedule(config).reverseSteps(1000, config)[0]
    #expect(one.timestep == 0 && one.deviation == 0)
  }
}
