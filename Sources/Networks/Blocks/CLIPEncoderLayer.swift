import Kernels
import ModelFiles
import TensorCore

/// Causal attention and a feed-forward layer, each behind a norm and beside a shortcut.
struct CLIPEncoderLayer {
  let layerNorm1, layerNorm2: LayerNorm
  let query, key, value, attentionOut: Linear
  let feedForwardIn, feedForwardOut: Linear
  let headCount: Int
  let activation: Activation

  init(_ scope: WeightScope, _ config: CLIPTextConfig) throws(ModelError) {
    let channels = config.hiddenSize
    layerNorm1 = try LayerNorm(scope["layer_norm1"], channels, epsilon: config.layerNormEpsilon)
    query = try Linear(scope["self_attn.q_proj"], channels, channels)
    key = try Linear(scope["self_attn.k_proj"], channels, channels)
    value = try Linear(scope["self_attn.v_proj"], channels, channels)
    attentionOut = try Linear(scope["self_attn.out_proj"], channels, channels)
    layerNorm2 = try LayerNorm(scope["layer_norm2"], channels, epsilon: config.layerNormEpsilon)
    feedForwardIn = try Linear(scope["mlp.fc1"], channels, config.intermediateSize)
    feedForwardOut = try Linear(scope["mlp.fc2"], config.intermediateSize, channels)
    headCount = config.headCount
    activation =
      switch config.activation {
      case .quickGELU: .quickGELU
      case .gelu: .gelu
      }
  }

  /// - Parameter x: [tokens, hiddenSize]
  func callAsFunction(_ x: Value, in graph: Graph) -> Value {
    let normed = layerNorm1(x, in: graph)
    let attended = graph.attention(
      queries: query(normed, in: graph), keys: key(normed, in: graph),
      values: value(normed, in: graph), headCount: headCount, isCausal: true)
    let h = attentionOut(attended, adding: x, in: graph)
    let widened = feedForwardIn(layerNorm2(h, in: graph), activation: activation, in: graph)
    return feedForwardOut(widened, adding: h, in: graph)
  }
}
