import Kernels
import ModelFiles
import TensorCore

/// The epsilon of every norm of AutoencoderKL; no configuration sets it.
let autoencoderEpsilon: Float = 1e-6

/// The variational autoencoder of latent diffusion. Of its posterior only the mean is computed.
///
/// Reference: Rombach et al. 2022, section 3.1; names as in diffusers.
public struct AutoencoderKL: Autoencoder {
  public let config: AutoencoderKLConfig
  let encoder: AutoencoderKLEncoder
  let decoder: AutoencoderKLDecoder
  let quantConv: Conv2d?
  let postQuantConv: Conv2d?

  public var latentChannels: Int { config.latentChannels }
  public var factor: Int { config.factor }

  public init(_ scope: WeightScope, _ config: AutoencoderKLConfig) throws(ModelError) {
    self.config = config
    let channels = config.latentChannels
    // Mean and log-variance come as the two halves of the channels: without the second half, only
    // the mean is computed.
    if config.useQuantConv {
      encoder = try AutoencoderKLEncoder(scope["encoder"], config, keeping: 2 * channels)
      quantConv = try Conv2d(scope["quant_conv"], 2 * channels, 2 * channels, kernel: 1)
        .keepingOutputs(channels)
    } else {
      encoder = try AutoencoderKLEncoder(scope["encoder"], config, keeping: channels)
      quantConv = nil
    }
    postQuantConv =
      config.usePostQuantConv
      ? try Conv2d(scope["post_quant_conv"], channels, channels, kernel: 1) : nil
    decoder = try AutoencoderKLDecoder(scope["decoder"], config)
  }

  public func encode(_ picture: Value, in graph: Graph) -> Value {
    let h = encoder(picture, in: graph)
    let mean = quantConv.map { $0(h, in: graph) } ?? h
    return graph.affine(mean, scale: config.scalingFactor)
  }

  public func decode(_ latent: Value, in graph: Graph) -> Value {
    let h = graph.affine(latent, scale: 1 / config.scalingFactor)
    return decoder(postQuantConv.map { $0(h, in: graph) } ?? h, in: graph)
  }
}
