/// CogVideoXTransformer3DModel's configuration: `transformer/config.json`. Of its versions that
/// which knows positions by sines and cosines (CogVideoX-2b); those that rotate queries and keys
/// are refused.
public struct CogVideoXTransformerConfig: Sendable, Equatable {
  public var headCount: Int
  public var headDimension: Int
  /// Of a latent, in and out.
  public var inChannels, outChannels: Int
  /// Cosines first in the time's embedding.
  public var flipSinToCos: Bool
  public var freqShift: Float
  public var timeEmbedDim: Int
  /// Of the text encoder's features.
  public var textEmbedDim: Int
  public var layerCount: Int
  /// Whether queries, keys and values have a bias.
  public var attentionBias: Bool
  /// Latent pixels on a side of a patch, which is a token.
  public var patchSize: Int
  /// Tokens of a prompt.
  public var maxTextSequenceLength: Int
  public var normEpsilon: Float
  /// What positions are divided by before their sines are taken.
  public var spatialInterpolationScale, temporalInterpolationScale: Double

  /// Channels of a token.
  public var channels: Int { headCount * headDimension }

  init(_ reader: ConfigReader) throws(ModelError) {
    try reader.requireClass(.transformer, of: .cogVideoX)
    try reader.require("use_rotary_positional_embeddings", oneOf: .bool(false))
    try reader.require("use_learned_positional_embeddings", oneOf: .bool(false))
    try reader.require("patch_size_t", oneOf: .null)
    try reader.require("ofs_embed_dim", oneOf: .null)
    try reader.require("activation_fn", oneOf: .string("gelu-approximate"))
    try reader.require("timestep_activation_fn", oneOf: .string("silu"))
    try reader.require("norm_elementwise_affine", oneOf: .bool(true))
    try reader.require("patch_bias", oneOf: .bool(true))
    headCount = try reader.int("num_attention_heads", default: 30)
    headDimension = try reader.int("attention_head_dim", default: 64)
    inChannels = try reader.int("in_channels", default: 16)
    outChannels =
      reader.isNull("out_channels") ? inChannels : try reader.int("out_channels", default: 16)
    flipSinToCos = try reader.bool("flip_sin_to_cos", default: true)
    freqShift = Float(try reader.double("freq_shift", default: 0))
    timeEmbedDim = try reader.int("time_embed_dim", default: 512)
    textEmbedDim = try reader.int("text_embed_dim", default: 4096)
    layerCount = try reader.int("num_layers", default: 30, in: 1...1024)
    attentionBias = try reader.bool("attention_bias", default: true)
    patchSize = try reader.int("patch_size", default: 2, in: 1...64)
    maxTextSequenceLength = try reader.int("max_text_seq_length", default: 226, in: 1...4096)
    normEpsilon = Float(try reader.double("norm_eps", default: 1e-5, atLeast: 0))
    spatialInterpolationScale = try reader.double(
      "spatial_interpolation_scale", default: 1.875, atLeast: 1e-6)
    temporalInterpolationScale = try reader.double(
      "temporal_interpolation_scale", default: 1, atLeast: 1e-6)
    // A quarter of the channels tells the time, the rest each of two places, all of them by sines
    // and cosines.
    guard channels % 16 == 0 else {
      throw reader.error(
        "attention_head_dim",
        expected:
          "a number that makes the channels, times num_attention_heads \(headCount), a multiple of 16"
      )
    }
  }
}
