import FixtureSupport
import StrictJSON
import Testing

@testable import ModelFiles

@Suite("Configurations")
struct ConfigTests {
  private func folder(_ shape: String) throws -> ModelFolder {
    try ModelFolder(path: "\(Fixtures.path)/\(shape)")
  }

  private func reader(_ members: [String: JSON]) -> ConfigReader {
    ConfigReader(file: "config.json", members: members)
  }

  private func refusal(_ body: () throws -> Void) -> String {
    do {
      try body()
    } catch { return "\(error)" }
    return ""
  }

  @Test("Stable Diffusion 1.5's configurations decode to its known sizes")
  func stableDiffusion15() throws {
    let folder = try folder("sd15")
    let unet = try folder.unetConfig()
    #expect(unet.blockOutChannels == [320, 640, 1280, 1280])
    #expect(unet.headCounts == [8, 8, 8, 8])
    #expect(unet.crossAttentionDimensions == [768, 768, 768, 768])
    #expect(unet.layersPerBlock == [2, 2, 2, 2])
    #expect(unet.downBlockTypes.map(\.hasAttention) == [true, true, true, false])
    #expect(unet.upBlockTypes.map(\.hasAttention) == [false, true, true, true])
    #expect(unet.midBlockType == .unetMidBlock2DCrossAttn)
    #expect(unet.normGroupCount == 32 && unet.normEpsilon == 1e-5 && unet.inChannels == 4)
    let control = try folder.controlNetConfig()
    #expect(control.trunk == unet.trunk)
    #expect(control.conditioningEmbeddingOutChannels == [16, 32, 96, 256])
    #expect(control.conditioningChannels == 3 && control.conditioningChannelOrder == .rgb)
    let vae = try folder.autoencoderConfig()
    #expect(vae.factor == 8 && vae.latentChannels == 4 && vae.scalingFactor == 0.18215)
    let text = try folder.textConfig()
    #expect(text.hiddenSize == 768 && text.layerCount == 12 && text.headCount == 12)
    #expect(text.activation == .quickGELU && text.maxPositionCount == 77 && text.promptLength == 77)
    let scheduler = try folder.schedulerConfig()
    #expect(scheduler.betaSchedule == .scaledLinear && scheduler.predictionType == .epsilon)
    #expect(scheduler.betaStart == 0.00085 && scheduler.betaEnd == 0.012)
    #expect(!scheduler.setAlphaToOne && scheduler.trainStepCount == 1000)
  }

  @Test("prompts have 77 tokens, or as many as there are places for", arguments: [40, 77, 96])
  func promptLength(places: Int) throws {
    let text = try CLIPTextConfig(reader(["max_position_embeddings": .integer(places)]))
    #expect(text.maxPositionCount == places && text.promptLength == min(places, 77))
  }

  @Test("the reference's small shapes decode", arguments: ["small", "wide", "thin"])
  func referenceShapes(_ shape: String) throws {
    let folder = try folder(shape)
    let unet = try folder.unetConfig()
    #expect(try folder.controlNetConfig().trunk == unet.trunk)
    #expect(try folder.autoencoderConfig().latentChannels == unet.inChannels)
    #expect(try folder.textConfig().hiddenSize == unet.crossAttentionDimensions[0])
    #expect(try folder.schedulerConfig().trainStepCount == 1000)
  }

  @Test("what diffusers does not know is read where it is there")
  func ownKeys() throws {
    let unet = try UNetConfig(
      reader(["window_input": .integer(2), "window_attention": .bool(false)]))
    #expect(unet.windowInput == 2 && !unet.windowAttention)
    let plain = try UNetConfig(reader([:]))
    #expect(plain.windowInput == 0 && plain.windowAttention)
    for (key, value) in [
      ("window_input", JSON.integer(-1)), ("window_input", .integer(17)),
      ("window_attention", .integer(1)),
    ] {
      let message = refusal { _ = try UNetConfig(reader([key: value])) }
      #expect(message.contains("config.json") && message.contains(key))
    }
  }

  @Test("a UNet that can be told its guidance is read as one that is not told")
  func guidanceEmbedding() throws {
    let plain = try UNetConfig(reader([:]))
    for value in [JSON.integer(256), .null] {
      #expect(try UNetConfig(reader(["time_cond_proj_dim": value])) == plain)
    }
    let message = refusal {
      _ = try UNetConfig(reader(["time_cond_proj_dim": .string("256")]))
    }
    #expect(message.hasPrefix("config.json: time_cond_proj_dim: expected "), "\(message)")
  }

  @Test("an AutoencoderHaar is known by its class")
  func haar() throws {
    let config = try AutoencoderConfig(
      reader([
        "_class_name": .string("AutoencoderHaar"),
        "band_scales": .array([.number(1), .number(4), .number(4.5), .integer(5)]),
        "scaling_factor": .number(0.5),
      ]))
    guard case .haar(let haar) = config else {
      Issue.record("not an AutoencoderHaar")
      return
    }
    #expect(haar.bandScales == [1, 4, 4.5, 5] && haar.inChannels == 3)
    #expect(config.factor == 2 && config.latentChannels == 12 && config.scalingFactor == 0.5)

    let twice = try AutoencoderConfig(
      reader([
        "_class_name": .string("AutoencoderHaar"), "levels": .integer(2),
        "latent_channels": .integer(48),
      ]))
    #expect(twice.factor == 4 && twice.latentChannels == 48)
  }

  @Test("an AutoencoderTiny is told from an AutoencoderKL by its class")
  func tiny() throws {
    guard case .tiny(let config) = try folder("thin").autoencoderConfig() else {
      Issue.record("not an AutoencoderTiny")
      return
    }
    #expect(config.encoderBlockCounts == [1, 2, 1] && config.decoderBlockCounts == [1, 2, 1])
    #expect(config.activation == .relu && config.scalingFactor == 0.9)
    #expect(try folder("thin").autoencoderConfig().factor == 4)
  }

  @Test("missing keys have diffusers' class defaults")
  func defaults() throws {
    let unet = try UNetConfig(reader([:]))
    #expect(
      unet.blockOutChannels == [320, 640, 1280, 1280] && unet.crossAttentionDimensions[0] == 1280)
    let scheduler = try SchedulerConfig(reader([:]))
    #expect(scheduler.betaStart == 0.0001 && scheduler.betaEnd == 0.02)
    #expect(scheduler.betaSchedule == .linear && scheduler.setAlphaToOne)
    let vae = try AutoencoderKLConfig(reader([:]))
    #expect(vae.blockOutChannels == [64] && vae.layersPerBlock == 1)
    #expect(try AutoencoderTinyConfig(reader([:])).decoderBlockCounts == [3, 3, 3, 1])
    #expect(try CLIPTextConfig(reader([:])).hiddenSize == 512)
  }

  @Test(
    "a scheduler's betas are read whichever class wrote them, and how it clips is not",
    arguments: [
      "DDIMScheduler", "DDIMParallelScheduler", "DDPMParallelScheduler", "SASolverScheduler",
      "DPMSolverMultistepInverseScheduler",
    ])
  func schedulers(_ name: String) throws {
    let config = try SchedulerConfig(
      reader([
        "_class_name": .string(name), "beta_end": .number(0.012), "thresholding": .bool(true),
        "clip_sample": .bool(true),
      ]))
    #expect(config.betaEnd == 0.012)
  }

  @Test("a scheduler's numbers that are infinite are read over, as diffusers writes them")
  func infinite() throws {
    let folder = TemporaryFolder()
    folder.write("unet/config.json", "{}")
    let file = folder.write(
      "scheduler/scheduler_config.json",
      """
      {"_class_name": "DPMSolverMultistepScheduler", "beta_start": 0.00085, "lambda_min_clipped": -Infinity}
      """)
    #expect(try ModelFolder(path: folder.path).schedulerConfig().betaStart == 0.00085)
    folder.write("scheduler/scheduler_config.json", #"{"beta_start": -Infinity}"#)
    let message = refusal { _ = try ModelFolder(path: folder.path).schedulerConfig() }
    #expect(message.hasPrefix("\(file): beta_start: expected"), "\(message)")
  }

  @Test("values for each block are read as lists, and a middle that is null as none")
  func perBlock() throws {
    let unet = try UNetConfig(
      reader([
        "attention_head_dim": .array([5, 10, 20, 20].map(JSON.integer)),
        "use_linear_projection": .bool(true), "cross_attention_dim": .integer(1024),
        "mid_block_type": .null, "norm_eps": .number(1e-6),
      ]))
    #expect(unet.headCounts == [5, 10, 20, 20] && unet.useLinearProjection)
    #expect(unet.midBlockType == .none && unet.normEpsilon == 1e-6)
  }

  @Test(
    "an option that changes the arithmetic and is not supported is refused by name",
    arguments: [
      ("class_embed_type", JSON.string("timestep")), ("addition_embed_type", .string("text_time")),
      ("encoder_hid_dim", .integer(64)), ("only_cross_attention", .bool(true)),
      ("only_cross_attention", .array([.bool(true), .bool(false), .bool(false), .bool(false)])),
      ("dual_cross_attention", .bool(true)), ("time_embedding_type", .string("fourier")),
      ("resnet_time_scale_shift", .string("scale_shift")), ("act_fn", .string("gelu")),
      ("num_class_embeds", .integer(3)), ("attention_type", .string("gated")),
      ("mid_block_type", .string("UNetMidBlock2DSimpleCrossAttn")), ("norm_num_groups", .null),
      ("down_block_types", .array([.string("AttnDownBlock2D")])),
      ("block_out_channels", .array([.integer(320)])), ("block_out_channels", .array([])),
      ("attention_head_dim", .integer(7)), ("attention_head_dim", .array([.integer(8)])),
      ("cross_attention_dim", .string("768")), ("layers_per_block", .integer(0)),
      ("in_channels", .integer(1 << 40)), ("in_channels", .number(4.5)),
      ("conv_in_kernel", .integer(2)), ("_class_name", .string("UNet3DConditionModel")),
      ("transformer_layers_per_block", .array([.array([.integer(1)])])),
      ("norm_eps", .number(-1)), ("flip_sin_to_cos", .integer(1)),
    ])
  func unsupported(_ key: String, _ value: JSON) {
    let message = refusal { _ = try UNetConfig(reader([key: value])) }
    #expect(message.hasPrefix("config.json: ") && message.contains(key), "\(message)")
    #expect(message.contains(": expected ") && message.contains(", found "), "\(message)")
  }

  @Test("null is false where diffusers asks for truth, and a width that follows may be said")
  func nullAndWidths() throws {
    for key in ["use_linear_projection", "dual_cross_attention", "flip_sin_to_cos"] {
      #expect(
        try UNetConfig(reader([key: .null])) == UNetConfig(reader([key: .bool(false)])), "\(key)")
    }
    #expect(
      try UNetConfig(reader(["time_embedding_dim": .integer(1280)])) == UNetConfig(reader([:])))
    let message = refusal { _ = try UNetConfig(reader(["time_embedding_dim": .integer(320)])) }
    #expect(message.hasPrefix("config.json: time_embedding_dim: expected null or 1280"))
  }

  @Test("an option that changes nothing here is passed over")
  func withoutMeaning() throws {
    // diffusers hands these to other blocks alone, and its pipelines for such models read no shift.
    for (key, value) in [
      ("resnet_out_scale_factor", JSON.number(1.5)), ("resnet_skip_time_act", .bool(true)),
      ("cross_attention_norm", .string("layer_norm")),
      ("mid_block_only_cross_attention", .bool(true)),
    ] {
      #expect(try UNetConfig(reader([key: value])) == UNetConfig(reader([:])))
    }
    for (key, value) in [
      ("shift_factor", JSON.number(0.1159)), ("latents_mean", .array([.integer(0)])),
      ("latents_std", .array([.integer(2)])),
    ] {
      #expect(try AutoencoderKLConfig(reader([key: value])) == AutoencoderKLConfig(reader([:])))
      #expect(try AutoencoderTinyConfig(reader([key: value])) == AutoencoderTinyConfig(reader([:])))
    }
    let betas: JSON = .array([.number(0.5), .integer(1)])
    let schedule = try SchedulerConfig(
      reader([
        "trained_betas": betas, "num_train_timesteps": .integer(2),
        "beta_schedule": .string("sigmoid"),
      ]))
    #expect(schedule.trainedBetas == [0.5, 1])
  }

  @Test("the other parts refuse what they do not support, by name")
  func unsupportedElsewhere() {
    let cases: [(String, JSON, (ConfigReader) throws -> Void)] = [
      ("global_pool_conditions", .bool(true), { _ = try ControlNetConfig($0) }),
      ("controlnet_conditioning_channel_order", .string("grb"), { _ = try ControlNetConfig($0) }),
      (
        "down_block_types", .array([.string("AttnDownEncoderBlock2D")]),
        { _ = try AutoencoderKLConfig($0) }
      ),
      ("upsample_fn", .string("bilinear"), { _ = try AutoencoderTinyConfig($0) }),
      ("upsampling_scaling_factor", .integer(4), { _ = try AutoencoderTinyConfig($0) }),
      ("act_fn", .string("mish"), { _ = try AutoencoderTinyConfig($0) }),
      ("latent_channels", .integer(4), { _ = try AutoencoderHaarConfig($0) }),
      ("levels", .integer(0), { _ = try AutoencoderHaarConfig($0) }),
      ("levels", .integer(5), { _ = try AutoencoderHaarConfig($0) }),
      ("band_scales", .array([.integer(1)]), { _ = try AutoencoderHaarConfig($0) }),
      (
        "band_scales", .array([.integer(1), .integer(4), .integer(0), .integer(4)]),
        { _ = try AutoencoderHaarConfig($0) }
      ),
      ("_class_name", .string("VQModel"), { _ = try AutoencoderConfig($0) }),
      ("hidden_act", .string("relu"), { _ = try CLIPTextConfig($0) }),
      ("num_attention_heads", .integer(7), { _ = try CLIPTextConfig($0) }),
      ("model_type", .string("t5"), { _ = try CLIPTextConfig($0) }),
      ("max_position_embeddings", .integer(2), { _ = try CLIPTextConfig($0) }),
      ("beta_schedule", .string("sigmoid"), { _ = try SchedulerConfig($0) }),
      ("prediction_type", .string("flow"), { _ = try SchedulerConfig($0) }),
      ("trained_betas", .array([.number(0.1)]), { _ = try SchedulerConfig($0) }),
      (
        "trained_betas", .array(Array(repeating: .number(1.1), count: 1000)),
        { _ = try SchedulerConfig($0) }
      ),
      ("_class_name", .string("FlowMatchEulerDiscreteScheduler"), { _ = try SchedulerConfig($0) }),
    ]
    for (key, value, decode) in cases {
      let message = refusal { try decode(reader([key: value])) }
      #expect(
        message.contains(key == "num_attention_heads" ? key : "config.json: \(key): expected "),
        "\(key): \(message)")
    }
  }
}
