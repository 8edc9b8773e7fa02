/// The configuration of whichever autoencoder `vae/config.json` describes.
public enum AutoencoderConfig: Sendable, Equatable {
  case kl(AutoencoderKLConfig)
  case tiny(AutoencoderTinyConfig)
  case haar(AutoencoderHaarConfig)

  /// Channels of a latent.
  public var latentChannels: Int {
    switch self {
    case .kl(let config): config.latentChannels
    case .tiny(let config): config.latentChannels
    case .haar(let config): config.latentChannels
    }
  }

  /// What the encoder's output is multiplied by to become a latent.
  public var scalingFactor: Float {
    switch self {
    case .kl(let config): config.scalingFactor
    case .tiny(let config): config.scalingFactor
    case .haar(let config): config.scalingFactor
    }
  }

  /// A latent pixel covers factor x factor pixels of the picture.
  public var factor: Int {
    switch self {
    case .kl(let config): config.factor
    case .tiny(let config): config.factor
    case .haar(let config): config.factor
    }
  }

  init(_ reader: ConfigReader) throws(ModelError) {
    try reader.requireClass(.vae)
    self =
      switch reader.members["_class_name"]?.string {
      case "AutoencoderTiny": .tiny(try AutoencoderTinyConfig(reader))
      case "AutoencoderHaar": .haar(try AutoencoderHaarConfig(reader))
      default: .kl(try AutoencoderKLConfig(reader))
      }
  }
}
