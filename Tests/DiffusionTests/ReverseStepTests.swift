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
