/// AutoencoderKLCogVideoX's configuration: `vae/config.json`.
public struct AutoencoderKLCogVideoXConfig: Sendable, Equatable {
  public var latentChannels: Int
  /// Finest first; each but the last halves height and width.
  public var blockOutChannels: [Int]
  /// Residual blocks of each of the encoder's blocks; the decoder's have one more.
  public var layersPerBlock: Int
  public var normEpsilon: Float
  public var normGroupCount: Int
  /// Frames that a latent frame stands for.
  public var temporalCompressionRatio: Int
  public var scalingFactor: Float

  /// A latent pixel covers factor x factor pixels of a frame.
  public var factor: Int { 1 << (blockOutChannels.count - 1) }
  /// How many of the blocks halve the number of frames, the first ones on either way.
  public var temporalLevelCount: Int { temporalCompressionRatio.trailingZeroBitCount }

  init(_ reader: ConfigReader) throws(ModelError) {
    try reader.requireClass(.vae, of: .cogVideoX)
    try reader.require("act_fn", oneOf: .string("silu"), .string("swish"))
    try reader.require("in_channels", oneOf: .integer(3))
    try reader.require("out_channels", oneOf: .integer(3))
    try reader.require("shift_factor", oneOf: .null, .integer(0))
    try reader.require("latents_mean", oneOf: .null)
    try reader.require("latents_std", oneOf: .null)
    try reader.require("use_quant_conv", oneOf: .bool(false))
    try reader.require("use_post_quant_conv", oneOf: .bool(false))
    try reader.require("invert_scale_latents", oneOf: .bool(false))
    try reader.requireEach("down_block_types", .string("CogVideoXDownBlock3D"))
    try reader.requireEach("up_block_types", .string("CogVideoXUpBlock3D"))
    // Another ratio would cut clips into other chunks than those of 8 frames that the decoder
    // gives.
    try reader.require("temporal_compression_ratio", oneOf: .integer(4))
    temporalCompressionRatio = 4
    latentChannels = try reader.int("latent_channels", default: 16)
    blockOutChannels = try reader.ints("block_out_channels", default: [128, 256, 256, 512])
    layersPerBlock = try reader.int("layers_per_block", default: 3, in: 1...64)
    normEpsilon = Float(try reader.double("norm_eps", default: 1e-6, atLeast: 0))
    normGroupCount = try reader.int("norm_num_groups", default: 32)
    scalingFactor = Float(try reader.double("scaling_factor", default: 1.15258426, atLeast: 1e-6))
    for key in ["down_block_types", "up_block_types"] {
      try reader.requireCount(
        key, reader.members[key]?.array?.count ?? 4, as: "block_out_channels",
        blockOutChannels.count)
    }
    guard blockOutChannels.count > temporalLevelCount else {
      throw reader.error(
        "block_out_channels", expected: "\(temporalLevelCount + 1) numbers or more, one a block")
    }
    for channels in blockOutChannels {
      try reader.requireDivisible(
        "block_out_channels", channels, by: "norm_num_groups", normGroupCount)
    }
  }
}
