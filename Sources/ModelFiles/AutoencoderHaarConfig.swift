/// AutoencoderHaar's configuration: `vae/config.json`. A lossless autoencoder without weights, one
/// level of the Haar transform: a class of our own, which diffusers does not know.
public struct AutoencoderHaarConfig: Sendable, Equatable {
  /// Channels of pictures.
  public var inChannels: Int
  /// 4 · ``inChannels``.
  public var latentChannels: Int
  /// What the bands are multiplied by in a latent, none 0: low, along x, along y, along both.
  public var bandScales: [Float]
  public var scalingFactor: Float

  /// A latent pixel covers factor x factor pixels of the picture.
  public var factor: Int { 2 }

  init(_ reader: ConfigReader) throws(ModelError) {
    inChannels = try reader.int("in_channels", default: 3)
    latentChannels = try reader.int("latent_channels", default: 12)
    guard latentChannels == 4 * inChannels else {
      throw reader.error("latent_channels", expected: "4 times in_channels, \(4 * inChannels)")
    }
    bandScales = try reader.floats(
      "band_scales", default: [1, 4, 4, 4], count: 4, atLeast: 1e-6)
    scalingFactor = Float(try reader.double("scaling_factor", default: 1, atLeast: 1e-6))
  }
}
