/// UNet2DConditionModel's configuration: `unet/config.json`.
@dynamicMemberLookup
public struct UNetConfig: Sendable, Equatable {
  public var trunk: UNetTrunkConfig
  public var outChannels: Int
  /// Coarsest first.
  public var upBlockTypes: [UpBlockType]
  /// Width of the square kernel of the first convolution, odd; its padding keeps the size.
  public var convInKernel: Int
  public var convOutKernel: Int
  /// Whether the latent is first taken to 2x - 1.
  public var centerInputSample: Bool
  /// Whether self-attention reads the window of frames.
  public var windowAttention: Bool

  /// Whether it reads the latent of a second picture of each frame beside the one that it
  /// restores, as InstructPix2Pix's (arXiv 2211.09800) does.
  public var readsSecondPicture: Bool { trunk.inChannels == 2 * outChannels }

  public subscript<T>(dynamicMember path: KeyPath<UNetTrunkConfig, T>) -> T {
    trunk[keyPath: path]
  }

  init(_ reader: ConfigReader) throws(ModelError) {
    try reader.requireClass(.unet)
    trunk = try UNetTrunkConfig(reader)
    try Self.requireSupported(reader, trunk)
    outChannels = try reader.int("out_channels", default: 4)
    upBlockTypes = try reader.choices(
      "up_block_types",
      default: [.upBlock2D, .crossAttnUpBlock2D, .crossAttnUpBlock2D, .crossAttnUpBlock2D])
    try reader.requireCount(
      "up_block_types", upBlockTypes.count, as: "block_out_channels", trunk.blockOutChannels.count)
    convInKernel = try Self.odd(reader, "conv_in_kernel")
    convOutKernel = try Self.odd(reader, "conv_out_kernel")
    centerInputSample = try reader.bool("center_input_sample", default: false)
    windowAttention = try reader.bool("window_attention", default: true)
    for (block, channels) in trunk.blockOutChannels.reversed().enumerated()
    where upBlockTypes[block].hasAttention {
      try reader.requireDivisible(
        "block_out_channels", channels, by: "the number of heads",
        Array(trunk.headCounts.reversed())[block])
    }
  }

  private static func odd(_ reader: ConfigReader, _ key: String) throws(ModelError) -> Int {
    let width = try reader.int(key, default: 3, in: 1...31)
    guard width % 2 == 1 else { throw reader.error(key, expected: "an odd number") }
    return width
  }

  private static func requireSupported(
    _ reader: ConfigReader, _ trunk: UNetTrunkConfig
  ) throws(ModelError) {
    try reader.require(
      "time_embedding_dim", oneOf: .null, .integer(4 * trunk.blockOutChannels[0]))
    for key in [
      "time_embedding_act_fn", "timestep_post_act", "reverse_transformer_layers_per_block",
    ] {
      try reader.require(key, oneOf: .null)
    }
    // A distilled model can be told its guidance by this. diffusers computes it only where the
    // pipeline asks for that, which this one doesn't: there the network is the plain one.
    if !reader.isNull("time_cond_proj_dim") {
      _ = try reader.int("time_cond_proj_dim", default: 256)
    }
    for key in ["dual_cross_attention", "class_embeddings_concat"] {
      try reader.require(key, oneOf: .bool(false))
    }
    try reader.require("time_embedding_type", oneOf: .string("positional"))
    try reader.require("attention_type", oneOf: .string("default"))
  }
}
