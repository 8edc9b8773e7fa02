/// AutoencoderKL's configuration: `vae/config.json`.
public struct AutoencoderKLConfig: Sendable, Equatable {
  /// Channels of the picture that is encoded.
  public var inChannels: Int
  /// Channels of the decoded picture.
  public var outChannels: Int
  public var latentChannels: Int
  /// Finest first; each but the last halves the resolution.
  public var blockOutChannels: [Int]
  /// Residual blocks of each of the encoder's blocks; the decoder's have one more.
  public var layersPerBlock: Int
  public var normGroupCount: Int
  public var scalingFactor: Float
  /// Whether a 1x1 convolution follows the encoder.
  public var useQuantConv: Bool
  /// Whether a 1x1 convolution precedes the decoder.
  public var usePostQuantConv: Bool
  public var midBlockAddAttention: Bool

  /// A latent pixel covers factor x factor pixels of the picture.
  public var factor: Int { 1 << (blockOutChannels.count - 1) }

  init(_ reader: ConfigReader) throws(ModelError) {
    try reader.require("act_fn", oneOf: .string("silu"), .string("swish"))
    try reader.requireEach("down_block_types", .string("DownEncoderBlock2D"))
    try reader.requireEach("up_block_types", .string("UpDecoderBlock2D"))
    inChannels = try reader.int("in_channels", default: 3)
    outChannels = try reader.int("out_channels", default: 3)
    latentChannels = try reader.int("latent_channels", default: 4)
    blockOutChannels = try reader.ints("block_out_channels", default: [64])
    layersPerBlock = try reader.int("layers_per_block", default: 1, in: 1...64)
    normGroupCount = try reader.int("norm_num_groups", default: 32)
    scalingFactor = Float(try reader.double("scaling_factor", default: 0.18215, atLeast: 1e-6))
    useQuantConv = try reader.bool("use_quant_conv", default: true)
    usePostQuantConv = try reader.bool("use_post_quant_conv", default: true)
    midBlockAddAttention = try reader.bool("mid_block_add_attention", default: true)
    for key in ["down_block_types", "up_block_types"] {
      try reader.requireCount(
        key, reader.members[key]?.array?.count ?? 1, as: "block_out_channels",
        blockOutChannels.count)
    }
    for channels in blockOutChannels {
      try reader.requireDivisible(
        "block_out_channels", channels, by: "norm_num_groups", normGroupCount)
    }
  }
}
