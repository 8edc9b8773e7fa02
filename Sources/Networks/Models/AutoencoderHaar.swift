import Kernels
import ModelFiles
import TensorCore

/// One level of the Haar transform: 2 x 2 pixels of three colours become the 12 channels of a
/// latent pixel, and nothing is lost. Computed in float32 whatever the device computes in.
///
/// Channel 3 b + c of a latent is band b of colour c.
///
/// Reference: latent diffusion on wavelets, Phung et al. 2023 (arXiv 2211.16152), section 3.
public struct AutoencoderHaar: Autoencoder {
  public let config: AutoencoderHaarConfig

  public var latentChannels: Int { config.latentChannels }
  public var factor: Int { config.factor }

  public init(_ config: AutoencoderHaarConfig) { self.config = config }

  /// What a latent's bands are, relative to the orthogonal transform's.
  private var scales: [Float] { config.bandScales.map { $0 * config.scalingFactor } }

  // The rows of the orthogonal transform are made of 1/2 and -1/2.

  public func encode(_ picture: Value, in graph: Graph) -> Value {
    graph.haarAnalysis(picture, factors: scales.map { $0 / 2 })
  }

  public func decode(_ latent: Value, in graph: Graph) -> Value {
    graph.haarSynthesis(latent, factors: scales.map { 1 / (2 * $0) })
  }
}
