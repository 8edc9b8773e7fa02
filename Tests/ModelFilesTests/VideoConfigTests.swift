import StrictJSON
import Testing

@testable import ModelFiles

@Suite("Configurations of CogVideoX")
struct VideoConfigTests {
  private func read<Config>(
    _ make: (ConfigReader) throws(ModelError) -> Config, _ members: [String: JSON],
    _ others: [String: JSON] = [:]
  ) throws(ModelError) -> Config {
    try make(
      ConfigReader(file: "config.json", members: members.merging(others) { $1 }))
  }

  private let transformer: [String: JSON] = [
    "_class_name": .string("CogVideoXTransformer3DModel"),
    "activation_fn": .string("gelu-approximate"), "attention_bias": .bool(true),
    "attention_head_dim": .integer(64), "num_attention_heads": .integer(30),
    "in_channels": .integer(16), "out_channels": .integer(16), "num_layers": .integer(30),
    "max_text_seq_length": .integer(226), "text_embed_dim": .integer(4096),
    "spatial_interpolation_scale": .number(1.875), "temporal_interpolation_scale": .number(1),
  ]
  private let text: [String: JSON] = [
    "model_type": .string("t5"), "feed_forward_proj": .string("gated-gelu"),
    "d_model": .integer(4096), "d_ff": .integer(10240), "num_heads": .integer(64),
    "num_layers": .integer(24),
  ]
  private let scheduler: [String: JSON] = ["prediction_type": .string("v_prediction")]

  @Test("CogVideoX-2b's decode to its known sizes")
  func cogVideoX2b() throws {
    let transformer = try read(CogVideoXTransformerConfig.init, transformer)
    #expect(transformer.channels == 1920 && transformer.layerCount == 30)
    #expect(transformer.patchSize == 2 && transformer.normEpsilon == 1e-5)
    let autoencoder = try read(AutoencoderKLCogVideoXConfig.init, [:])
    #expect(autoencoder.blockOutChannels == [128, 256, 256, 512] && autoencoder.factor == 8)
    #expect(autoencoder.temporalLevelCount == 2 && autoencoder.scalingFactor == 1.15258426)
    let text = try read(T5Config.init, text)
    #expect(text.keyValueDimension == 64 && text.relativeBucketCount == 32)
    let scheduler = try read(CogVideoXSchedulerConfig.init, scheduler)
    #expect(scheduler.snrShiftScale == 3 && scheduler.trainStepCount == 1000)
  }

  @Test("What cannot be run is refused by name")
  func refusals() throws {
    func expectRefusal(_ parts: String..., body: () throws(ModelError) -> Void) {
      do {
        try body()
        Issue.record("\(parts) was not refused")
      } catch {
        for part in parts { #expect(error.description.contains(part)) }
      }
    }
    for (key, value) in [
      ("use_rotary_positional_embeddings", JSON.bool(true)), ("patch_size_t", .integer(2)),
      ("ofs_embed_dim", .integer(512)), ("attention_head_dim", .integer(7)),
      ("_class_name", .string("FluxTransformer2DModel")), ("num_layers", .integer(0)),
    ] {
      expectRefusal("config.json: \(key): expected") { () throws(ModelError) in
        _ = try read(CogVideoXTransformerConfig.init, transformer, [key: value])
      }
    }
    for (key, value) in [
      ("temporal_compression_ratio", JSON.integer(8)),
      ("block_out_channels", .array([.integer(32)])),
      ("use_quant_conv", .bool(true)), ("norm_num_groups", .integer(48)),
    ] {
      expectRefusal("config.json: ") { () throws(ModelError) in
        _ = try read(AutoencoderKLCogVideoXConfig.init, [:], [key: value])
      }
    }
    expectRefusal("feed_forward_proj", "gated-gelu", "relu") { () throws(ModelError) in
      _ = try read(T5Config.init, text, ["feed_forward_proj": .string("relu")])
    }
    expectRefusal("prediction_type", "v_prediction", "epsilon") { () throws(ModelError) in
      _ = try read(
        CogVideoXSchedulerConfig.init, scheduler, ["prediction_type": .string("epsilon")])
    }
  }
}
