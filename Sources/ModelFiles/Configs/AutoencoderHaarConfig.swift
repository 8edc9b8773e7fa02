/// AutoencoderHaar's configuration: `vae/config.json`. A lossless autoencoder without weights,
/// levels of the Haar transform: a class of our own, which diffusers does not know.
public struct AutoencoderHaarConfig: Sendable, Equatable {
  /// Channels of pictures.
  public var inChannels: Int
  /// How often the bands are parted into bands.
  public var levels: Int
  /// 4 to the power of ``levels``, times ``inChannels``.
  public var latentChannels: Int
  /// What the bands are multiplied by at each level, none 0: low, along x, along y, along both.
  public var bandScales: [Float]
  public var scalingFactor: Float

  /// A latent pixel covers factor x factor pixels of the picture.
  public var factor: Int { 1 << levels }

  init(_ reader: ConfigReader) throws(ModelError) {
    inChannels = try reader.int("in_channels", default: 3)
    levels = try reader.int("levels", default: 1, in: 1...4)
    latentChannels = try reader.int("latent_channels", default: 12)
    let expected = inChannels << (2 * levels)
    guard latentChannels == expected else {
      throw reader.error(
        "latent_channels", expected: "in_channels, times 4 at each level, \(expected)")
    }
    bandScales = try reader.floats(
      "band_scales", default: [1, 4, 4, 4], count: 4, atLeast: 1e-6)
    scalingFactor = Float(try reader.double("scaling_factor", default: 1, atLeast: 1e-6))
  }
}
