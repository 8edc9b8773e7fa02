import Kernels
import ModelFiles
import TensorCore

/// AutoencoderKL's coarsest resolution: two residual blocks, between them attention with a single
/// head.
struct AutoencoderMidBlock2D {
  let first, last: ResnetBlock2D
  let norm: GroupNorm?
  let attention: Attention?

  init(_ scope: WeightScope, _ config: AutoencoderKLConfig) throws(ModelError) {
    let channels = config.blockOutChannels.last!
    func resnet(_ index: Int) throws(ModelError) -> ResnetBlock2D {
      try ResnetBlock2D(scope["resnets", index], channels, channels, config)
    }
    first = try resnet(0)
    if config.midBlockAddAttention {
      let scope = scope["attentions.0"]
      norm = try GroupNorm(
        scope["group_norm"], channels, groupCount: config.normGroupCount,
        epsilon: autoencoderEpsilon)
      attention = try Attention(
        scope, channels, keyChannels: channels, headCount: 1, hasBias: true)
    } else {
      norm = nil
      attention = nil
    }
    last = try resnet(1)
  }

  func callAsFunction(_ x: Value, in graph: Graph) -> Value {
    var h = first(x, in: graph)
    if let norm, let attention { h = attention(norm(h, in: graph), adding: h, in: graph) }
    return last(h, in: graph)
  }
}
