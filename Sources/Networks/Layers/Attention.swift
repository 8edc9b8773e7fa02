import Kernels
import ModelFiles
import TensorCore

/// Multi-head attention with its projections. Keys and values come from the tokens themselves, or
/// from others (the text).
struct Attention {
  let toQ, toK, toV, toOut: Linear
  let headCount: Int

  /// - Parameters:
  ///   - channels: of the queries' tokens and of the result.
  ///   - keyChannels: of the tokens that are attended to.
  ///   - hasBias: whether queries, keys and values have one; the output always has.
  init(
    _ scope: WeightScope, _ channels: Int, keyChannels: Int, headCount: Int, hasBias: Bool
  ) throws(ModelError) {
    toQ = try Linear(scope["to_q"], channels, channels, hasBias: hasBias)
    toK = try Linear(scope["to_k"], keyChannels, channels, hasBias: hasBias)
    toV = try Linear(scope["to_v"], keyChannels, channels, hasBias: hasBias)
    toOut = try Linear(scope["to_out.0"], channels, channels)
    self.headCount = headCount
  }

  /// - Parameters:
  ///   - x: [T, channels]
  ///   - context: [S, keyChannels]; nil: `x` attends to itself.
  ///   - readsWindow: keys and values are means over neighbouring frames, where a run has a window.
  ///   - residual: [T, channels], added to the result.
  /// - Returns: [T, channels]
  func callAsFunction(
    _ x: Value, context: Value? = nil, readsWindow: Bool = false, adding residual: Value,
    in graph: Graph
  ) -> Value {
    let source = context ?? x
    let attended = graph.attention(
      queries: toQ(x, in: graph), keys: toK(source, in: graph), values: toV(source, in: graph),
      headCount: headCount, readsWindow: readsWindow)
    return toOut(attended, adding: residual, in: graph)
  }
}
