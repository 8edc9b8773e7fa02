import Kernels
import ModelFiles
import TensorCore

/// The Haar transform: 2 x 2 pixels of three colours become the 12 channels of a latent pixel, 4 x
/// 4 at two levels its 48, and nothing is lost. Computed in float32 whatever the device computes
/// in.
///
/// Channel 3 b + c of a latent is band b of colour c. A further level takes the channels of the one
/// before for colours.
///
/// Reference: latent diffusion on wavelets, Phung et al. 2023 (arXiv 2211.16152), section 3.
public struct AutoencoderHaar: Autoencoder {
  public let config: AutoencoderHaarConfig

  public var latentChannels: Int { config.latentChannels }
  public var factor: Int { config.factor }

  public init(_ config: AutoencoderHaarConfig) { self.config = config }

  /// What the bands of a level are, relative to the orthogonal transform's: the scaling factor is
  /// that of the last.
  private func scales(ofLevel level: Int) -> [Float] {
    level < config.levels ? config.bandScales : config.bandScales.map { $0 * config.scalingFactor }
  }

  // The rows of the orthogonal transform are made of 1/2 and -1/2.

  public func encode(_ picture: Value, in graph: Graph) -> Value {
    (1...config.levels).reduce(picture) { picture, level in
      graph.haarAnalysis(picture, factors: scales(ofLevel: level).map { $0 / 2 })
    }
  }

  public func decode(_ latent: Value, in graph: Graph) -> Value {
    (1...config.levels).reversed().reduce(latent) { latent, level in
      graph.haarSynthesis(latent, factors: scales(ofLevel: level).map { 1 / (2 * $0) })
    }
  }
}
