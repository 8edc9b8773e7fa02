import Kernels
import ModelFiles
import TensorCore

/// What takes pictures to latents and back, whichever kind it is.
public protocol Autoencoder {
  var latentChannels: Int { get }
  /// A latent pixel covers factor x factor pixels of the picture.
  var factor: Int { get }

  /// - Parameter picture: [H, W, 3], RGB in [-1, 1].
  /// - Returns: the posterior's mean x scaling factor, [H / factor, W / factor, latentChannels].
  func encode(_ picture: Value, in graph: Graph) -> Value

  /// - Parameter latent: [h, w, latentChannels], as ``encode(_:in:)`` gives it.
  /// - Returns: [h · factor, w · factor, 3], RGB in about [-1, 1], not clamped.
  func decode(_ latent: Value, in graph: Graph) -> Value
}

extension ModelFolder {
  /// The model's autoencoder.
  /// - Throws: `ModelError` where configuration and weights do not belong together.
  public func autoencoder() throws(ModelError) -> any Autoencoder {
    switch try autoencoderConfig() {
    case .kl(let config):
      try vae { scope throws(ModelError) in try AutoencoderKL(scope, config) }
    case .tiny(let config):
      try vae { scope throws(ModelError) in try AutoencoderTiny(scope, config) }
    case .haar(let config): AutoencoderHaar(config)
    }
  }

  private func vae<A: Autoencoder>(
    _ make: (WeightScope) throws(ModelError) -> A
  ) throws(ModelError) -> A {
    let scope = try weights(of: .vae)
    let autoencoder = try make(scope)
    try scope.finish()
    return autoencoder
  }
}
