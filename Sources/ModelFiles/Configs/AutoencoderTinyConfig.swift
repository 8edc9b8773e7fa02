/// AutoencoderTiny's configuration: `vae/config.json`. An autoencoder of convolutions alone,
/// without norms.
public struct AutoencoderTinyConfig: Sendable, Equatable {
  public enum Activation: String, Sendable, CaseIterable {
    case relu, silu, swish, gelu
  }

  /// Channels of the picture that is encoded.
  public var inChannels: Int
  /// Channels of the decoded picture.
  public var outChannels: Int
  public var latentChannels: Int
  /// Finest first, all equal; each but the first halves the resolution.
  public var encoderBlockOutChannels: [Int]
  /// Coarsest first, all equal; each but the last doubles the resolution.
  public var decoderBlockOutChannels: [Int]
  /// Residual blocks at each of the encoder's resolutions; 0 is allowed.
  public var encoderBlockCounts: [Int]
  public var decoderBlockCounts: [Int]
  public var activation: Activation
  public var scalingFactor: Float

  /// A latent pixel covers factor x factor pixels of the picture.
  public var factor: Int { 1 << (encoderBlockOutChannels.count - 1) }

  init(_ reader: ConfigReader) throws(ModelError) {
    inChannels = try reader.int("in_channels", default: 3)
    outChannels = try reader.int("out_channels", default: 3)
    latentChannels = try reader.int("latent_channels", default: 4)
    encoderBlockOutChannels = try Self.widths(reader, "encoder_block_out_channels")
    decoderBlockOutChannels = try Self.widths(reader, "decoder_block_out_channels")
    encoderBlockCounts = try reader.ints(
      "num_encoder_blocks", default: [1, 3, 3, 3], in: 0...64)
    decoderBlockCounts = try reader.ints(
      "num_decoder_blocks", default: [3, 3, 3, 1], in: 0...64)
    activation = try reader.choice("act_fn", default: .relu)
    try reader.require("upsample_fn", oneOf: .string("nearest"))
    // The encoder's strides are 2 whatever stands here: anything else would decode to another size.
    _ = try reader.int("upsampling_scaling_factor", default: 2, in: 2...2)
    scalingFactor = Float(try reader.double("scaling_factor", default: 1, atLeast: 1e-6))
    let count = encoderBlockOutChannels.count
    let encoder = "encoder_block_out_channels"
    try reader.requireCount(
      "decoder_block_out_channels", decoderBlockOutChannels.count, as: encoder, count)
    try reader.requireCount("num_encoder_blocks", encoderBlockCounts.count, as: encoder, count)
    try reader.requireCount("num_decoder_blocks", decoderBlockCounts.count, as: encoder, count)
  }

  private static func widths(_ reader: ConfigReader, _ key: String) throws(ModelError) -> [Int] {
    let widths = try reader.ints(key, default: [64, 64, 64, 64])
    guard Set(widths).count == 1 else {
      throw reader.error(key, expected: "equal widths", "diffusers runs no others")
    }
    return widths
  }
}
