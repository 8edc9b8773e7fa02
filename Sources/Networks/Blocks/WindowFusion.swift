import Kernels
import ModelFiles
import TensorCore

/// Attention across the frames of the window at the UNet's finest level: behind its last block every position reads a
/// neighbourhood of itself in each of the frames, and takes from them what looks alike.
///
/// A frame's keys and values depend on that frame alone, so that they can be kept for its neighbours. A layer of our own:
/// `Protocol/model-files.md` defines it.
struct WindowFusion {
  let norm: GroupNorm
  let toQ, toK, toV, toOut: Linear
  /// [radius + 1, 2 · reach + 1, 2 · reach + 1]
  let positionBias: WeightTensor
  let conv1, conv2: Conv2d

  private static let epsilon: Float = 1e-5

  init(
    _ scope: WeightScope, _ channels: Int, _ config: WindowFusionConfig, groupCount: Int
  ) throws(ModelError) {
    norm = try GroupNorm(
      scope["norm"], channels, groupCount: groupCount, epsilon: Self.epsilon)
    toQ = try Linear(scope["to_q"], channels, config.keyChannels, hasBias: false)
    toK = try Linear(scope["to_k"], channels, config.keyChannels, hasBias: false)
    toV = try Linear(scope["to_v"], channels, channels, hasBias: false)
    toOut = try Linear(scope["to_out"], channels, channels)
    let side = 2 * config.reach + 1
    positionBias = try scope.tensor("position_bias", [config.radius + 1, side, side])
    conv1 = try Conv2d(scope["conv1"], channels, channels)
    conv2 = try Conv2d(scope["conv2"], channels, channels)
  }

  /// - Parameter x: [H, W, channels]
  /// - Returns: shaped as `x`.
  func callAsFunction(_ x: Value, in graph: Graph) -> Value {
    let normed = norm(x, in: graph)
    let taken = graph.localAttention(
      queries: toQ(normed, in: graph), keys: toK(normed, in: graph),
      values: toV(x, in: graph), positionBias: positionBias)
    let fused = toOut(taken, adding: x, in: graph)
    let h = conv1(graph.activation(.silu, fused), in: graph)
    return conv2(graph.activation(.silu, h), adding: fused, in: graph)
  }
}
