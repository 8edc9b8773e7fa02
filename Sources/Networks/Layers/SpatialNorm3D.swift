import Kernels
import ModelFiles
import TensorCore

/// A group norm whose scale and shift are read from the latent, which is enlarged to the video's
/// size for it.
///
/// Reference: Zheng et al. 2022 (MoVQ), section 3.2.
struct SpatialNorm3D {
  let norm: GroupNorm
  let scale, shift: Linear

  init(
    _ scope: WeightScope, _ channels: Int, _ config: AutoencoderKLCogVideoXConfig
  ) throws(ModelError) {
    norm = try GroupNorm(
      scope["norm_layer"], channels, groupCount: config.normGroupCount, epsilon: autoencoderEpsilon)
    scale = try Linear(scope["conv_y.conv"], config.latentChannels, channels)
    shift = try Linear(scope["conv_b.conv"], config.latentChannels, channels)
  }

  /// - Parameter latent: [t, h, w, latentChannels]. Scale and shift are of single pixels: computed
  ///   before they are enlarged.
  func callAsFunction(
    _ x: Value, latent: Value, activation: Activation, in graph: Graph
  ) -> Value {
    graph.modulation(
      norm(x, in: graph), factors: scale(latent, in: graph), addends: shift(latent, in: graph),
      activation: activation)
  }
}
