/// The types of the UNet's blocks on the way down, as diffusers calls them.
public enum DownBlockType: String, Sendable, CaseIterable {
  case crossAttnDownBlock2D = "CrossAttnDownBlock2D"
  case downBlock2D = "DownBlock2D"

  public var hasAttention: Bool { self == .crossAttnDownBlock2D }
}

/// The types of the UNet's blocks on the way up, as diffusers calls them.
public enum UpBlockType: String, Sendable, CaseIterable {
  case crossAttnUpBlock2D = "CrossAttnUpBlock2D"
  case upBlock2D = "UpBlock2D"

  public var hasAttention: Bool { self == .crossAttnUpBlock2D }
}

/// The types of the UNet's block at the coarsest resolution, as diffusers calls them.
public enum MidBlockType: String, Sendable, CaseIterable {
  case unetMidBlock2DCrossAttn = "UNetMidBlock2DCrossAttn"
  /// One residual block, without attention.
  case unetMidBlock2D = "UNetMidBlock2D"
  /// The latent passes unchanged; null in the file.
  case none = "null"
}

/// What the residual blocks of a UNet normalize by.
public enum ResnetNorm: String, Sendable, CaseIterable {
  case group
  /// Nothing: features keep the strength of what is in the picture. The UNet then has no norm
  /// behind its blocks either.
  case none
}

/// What UNet2DConditionModel and ControlNetModel have in common: the way down and the middle.
///
/// Lists have one entry for each down block, finest first. The way up uses them in reverse, the
/// middle its last.
public struct UNetTrunkConfig: Sendable, Equatable {
  /// Channels of the latent, or of two: ``UNetConfig/readsSecondPicture``.
  public var inChannels: Int
  /// Frames on either side whose latents the first convolution reads beside the frame's own.
  public var windowInput: Int
  public var blockOutChannels: [Int]
  public var downBlockTypes: [DownBlockType]
  public var midBlockType: MidBlockType
  /// Residual blocks of each down block; an up block has one more.
  public var layersPerBlock: [Int]
  public var transformerLayersPerBlock: [Int]
  /// `attention_head_dim` in the files, which has meant the number of heads from the start.
  public var headCounts: [Int]
  /// Width of the text features.
  public var crossAttentionDimensions: [Int]
  public var normGroupCount: Int
  public var resnetNorm: ResnetNorm
  public var normEpsilon: Float
  /// 1, or 0: then rows and columns are added after the last only.
  public var downsamplePadding: Int
  /// Whether the cosines of the timestep's embedding come first.
  public var flipSinToCos: Bool
  public var freqShift: Float
  /// What the residual blocks in the middle divide their sum by.
  public var midBlockScaleFactor: Float
  /// Whether attention's outer projections are matrices, not 1x1 convolutions. The same arithmetic.
  public var useLinearProjection: Bool

  init(_ reader: ConfigReader) throws(ModelError) {
    try Self.requireSupported(reader)
    inChannels = try reader.int("in_channels", default: 4)
    windowInput = try reader.int("window_input", default: 0, in: 0...16)
    blockOutChannels = try reader.ints("block_out_channels", default: [320, 640, 1280, 1280])
    let count = blockOutChannels.count
    downBlockTypes = try reader.choices(
      "down_block_types",
      default: [
        .crossAttnDownBlock2D, .crossAttnDownBlock2D, .crossAttnDownBlock2D, .downBlock2D,
      ])
    try reader.requireCount(
      "down_block_types", downBlockTypes.count, as: "block_out_channels", count)
    midBlockType =
      reader.isNull("mid_block_type")
      ? .none : try reader.choice("mid_block_type", default: .unetMidBlock2DCrossAttn)
    layersPerBlock = try reader.intPerBlock(
      "layers_per_block", default: 2, count: count, in: 1...64)
    transformerLayersPerBlock = try reader.intPerBlock(
      "transformer_layers_per_block", default: 1, count: count, in: 1...64)
    let heads = reader.members["num_attention_heads", default: .null] != .null
    let headKey = heads ? "num_attention_heads" : "attention_head_dim"
    headCounts = try reader.intPerBlock(headKey, default: 8, count: count)
    crossAttentionDimensions = try reader.intPerBlock(
      "cross_attention_dim", default: 1280, count: count)
    normGroupCount = try reader.int("norm_num_groups", default: 32)
    resnetNorm = try reader.choice("resnet_norm", default: .group)
    normEpsilon = Float(try reader.double("norm_eps", default: 1e-5, atLeast: 0))
    downsamplePadding = try reader.int("downsample_padding", default: 1, in: 0...1)
    flipSinToCos = try reader.bool("flip_sin_to_cos", default: true)
    freqShift = Float(try reader.double("freq_shift", default: 0))
    midBlockScaleFactor = Float(
      try reader.double("mid_block_scale_factor", default: 1, atLeast: 1e-6))
    useLinearProjection = try reader.bool("use_linear_projection", default: false)

    for (block, channels) in blockOutChannels.enumerated() {
      try reader.requireDivisible(
        "block_out_channels", channels, by: "norm_num_groups", normGroupCount)
      let last = block == count - 1 && midBlockType == .unetMidBlock2DCrossAttn
      if downBlockTypes[block].hasAttention || last {
        try reader.requireDivisible("block_out_channels", channels, by: headKey, headCounts[block])
      }
    }
    try reader.requireDivisible("block_out_channels", blockOutChannels[0], by: "the factor", 2)
  }

  /// Groups of the residual blocks' norms; nil where they have none.
  public var resnetGroupCount: Int? { resnetNorm == .group ? normGroupCount : nil }

  /// Options of diffusers that change what is computed and that no SD-1.x or 2.x model sets.
  private static func requireSupported(_ reader: ConfigReader) throws(ModelError) {
    try reader.require("act_fn", oneOf: .string("silu"), .string("swish"))
    for key in [
      "class_embed_type", "addition_embed_type", "num_class_embeds", "encoder_hid_dim",
      "encoder_hid_dim_type",
    ] {
      try reader.require(key, oneOf: .null)
    }
    try reader.requireEach("only_cross_attention", .bool(false))
    try reader.require("resnet_time_scale_shift", oneOf: .string("default"))
  }
}
