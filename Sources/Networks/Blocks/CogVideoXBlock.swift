import Kernels
import ModelFiles
import TensorCore

/// A transformer block over the prompt's tokens and, behind them, the video's: attention and a
/// feed-forward layer, each behind a norm that the timestep modulates, for the two kinds of tokens
/// differently.
struct CogVideoXBlock {
  private let attentionNorm, feedForwardNorm: AdaptiveNorm
  private let toQ, toK, toV, toOut: Linear
  private let normQ, normK: LayerNorm
  private let feedForwardIn, feedForwardOut: Linear
  private let headCount: Int

  init(_ scope: WeightScope, _ config: CogVideoXTransformerConfig) throws(ModelError) {
    let channels = config.channels
    attentionNorm = try AdaptiveNorm(scope["norm1"], config)
    feedForwardNorm = try AdaptiveNorm(scope["norm2"], config)
    let attention = scope["attn1"]
    toQ = try Linear(attention["to_q"], channels, channels, hasBias: config.attentionBias)
    toK = try Linear(attention["to_k"], channels, channels, hasBias: config.attentionBias)
    toV = try Linear(attention["to_v"], channels, channels, hasBias: config.attentionBias)
    toOut = try Linear(attention["to_out.0"], channels, channels)
    // No configuration sets this epsilon.
    normQ = try LayerNorm(attention["norm_q"], config.headDimension, epsilon: 1e-6)
    normK = try LayerNorm(attention["norm_k"], config.headDimension, epsilon: 1e-6)
    feedForwardIn = try Linear(scope["ff.net.0.proj"], channels, 4 * channels)
    feedForwardOut = try Linear(scope["ff.net.2"], 4 * channels, channels)
    headCount = config.headCount
  }

  /// - Parameters:
  ///   - x: [text + video, channels]
  ///   - time: silu(time embedding)
  ///   - textCount: tokens of the prompt, which come first.
  ///   - switches: whether the video's queries read the keys and values of the text of the run's
  ///     last frame ("attention switching"). The text's queries read what is their own.
  func callAsFunction(
    _ x: Value, time: Value, textCount: Int, switches: Bool, in graph: Graph
  ) -> Value {
    var modulation = attentionNorm.modulation(time, in: graph)
    let normed = attentionNorm(x, modulation, textCount: textCount, in: graph)
    let queries = normQ(toQ(normed, in: graph), in: graph)
    let keys = normK(toK(normed, in: graph), in: graph)
    let values = toV(normed, in: graph)
    let attended: Value
    if switches {
      let text = graph.attention(
        queries: graph.slice(queries, 0..<textCount), keys: keys, values: values,
        headCount: headCount)
      let video = graph.attention(
        queries: graph.slice(queries, textCount..<x.shape[0]),
        keys: graph.borrowing(rows: textCount, keys),
        values: graph.borrowing(rows: textCount, values), headCount: headCount)
      attended = graph.stacked([text, video])
    } else {
      attended = graph.attention(
        queries: queries, keys: keys, values: values, headCount: headCount)
    }
    let h = attentionNorm.gated(
      toOut(attended, in: graph), modulation, textCount: textCount, adding: x, in: graph)

    modulation = feedForwardNorm.modulation(time, in: graph)
    let widened = feedForwardIn(
      feedForwardNorm(h, modulation, textCount: textCount, in: graph), activation: .geluTanh,
      in: graph)
    return feedForwardNorm.gated(
      feedForwardOut(widened, in: graph), modulation, textCount: textCount, adding: h, in: graph)
  }
}

/// A layer norm whose shift, scale and gate behind the layer come from the timestep: the video's
/// three first, then the text's.
///
/// Reference: Peebles, Xie 2023, section 3.2 (adaLN-Zero); CogVideoX, section 2.2 ("expert" norms).
private struct AdaptiveNorm {
  let linear: Linear
  let norm: LayerNorm
  let channels: Int

  init(_ scope: WeightScope, _ config: CogVideoXTransformerConfig) throws(ModelError) {
    channels = config.channels
    linear = try Linear(scope["linear"], config.timeEmbedDim, 6 * channels)
    norm = try LayerNorm(scope["norm"], channels, epsilon: config.normEpsilon)
  }

  /// - Returns: [6 · channels]
  func modulation(_ time: Value, in graph: Graph) -> Value { linear(time, in: graph) }

  func callAsFunction(
    _ x: Value, _ modulation: Value, textCount: Int, in graph: Graph
  ) -> Value {
    graph.rowScaling(
      norm(x, in: graph), by: modulation,
      [
        RowSpan(count: textCount, scale: 4 * channels, shift: 3 * channels),
        RowSpan(count: x.shape[0] - textCount, scale: channels, shift: 0),
      ], offset: 1)
  }

  /// residual + gate · x
  func gated(
    _ x: Value, _ modulation: Value, textCount: Int, adding residual: Value, in graph: Graph
  ) -> Value {
    graph.rowScaling(
      x, by: modulation,
      [
        RowSpan(count: textCount, scale: 5 * channels),
        RowSpan(count: x.shape[0] - textCount, scale: 2 * channels),
      ], adding: residual)
  }
}
