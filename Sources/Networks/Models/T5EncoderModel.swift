import Glibc
import Kernels
import ModelFiles
import TensorCore

/// T5's encoder: a feature for each token of a prompt.
///
/// Reference: Raffel et al. 2020, section 2.1, and version 1.1 of its code; names as in
/// transformers.
public struct T5EncoderModel {
  public let config: T5Config
  let tokenEmbedding: WeightTensor
  /// By class of distance and head.
  let relativeBias: WeightTensor
  let layers: [T5Block]
  let finalNorm: WeightTensor

  /// - Throws: `ModelError` where configuration and weights do not belong together.
  public init(_ folder: ModelFolder) throws(ModelError) {
    let scope = try folder.weights(of: .textEncoder)
    config = try folder.t5Config()
    let table: Shape = [config.vocabularySize, config.modelDimension]
    // One table under two names, of which either may be the one that was saved.
    if let shared = try scope["shared"].optional("weight", table) {
      tokenEmbedding = shared
    } else {
      tokenEmbedding = try scope["encoder.embed_tokens"].tensor("weight", table)
    }
    relativeBias = try scope["encoder.block.0.layer.0.SelfAttention.relative_attention_bias"]
      .tensor("weight", [config.relativeBucketCount, config.headCount])
    var layers: [T5Block] = []
    for layer in 0..<config.layerCount {
      layers.append(try T5Block(scope["encoder.block", layer], config))
    }
    self.layers = layers
    finalNorm = try scope["encoder.final_layer_norm"].tensor("weight", [config.modelDimension])
    try scope.finish()
  }

  /// The tokens' embeddings, [tokens, modelDimension]: a few rows of a large table.
  /// - Throws: `ModelError` where a token is not in the vocabulary.
  func embed(_ tokenIDs: [Int32]) throws(ModelError) -> Tensor {
    var elements: [Float] = []
    for id in tokenIDs {
      guard 0..<config.vocabularySize ~= Int(id) else {
        throw ModelError(
          "text_encoder: token \(id), expected less than vocab_size \(config.vocabularySize): "
            + "the tokenizer belongs to another model")
      }
      elements += try tokenEmbedding.row(Int(id))
    }
    return Tensor([tokenIDs.count, config.modelDimension], elements)
  }

  /// What is added to the scores of every layer, [headCount, tokens, tokens].
  func positionBias(tokens: Int) throws(ModelError) -> Tensor {
    var rows: [[Float]] = []
    for bucket in 0..<config.relativeBucketCount { rows.append(try relativeBias.row(bucket)) }
    var elements: [Float] = []
    elements.reserveCapacity(config.headCount * tokens * tokens)
    for head in 0..<config.headCount {
      for query in 0..<tokens {
        for key in 0..<tokens { elements.append(rows[bucket(key - query)][head]) }
      }
    }
    return Tensor([config.headCount, tokens, tokens], elements)
  }

  /// The class of a distance: half of them for keys behind the query, of each half the first half
  /// for one distance each, the rest wider and wider.
  private func bucket(_ distance: Int) -> Int {
    let half = config.relativeBucketCount / 2
    let exact = half / 2
    let first = distance > 0 ? half : 0
    let length = abs(distance)
    if length < exact { return first + length }
    let share =
      Float(log(Double(Float(length) / Float(exact))))
      / Float(log(Double(config.relativeMaxDistance) / Double(exact)))
    return first + min(exact + Int(share * Float(half - exact)), half - 1)
  }
}

/// Attention and a gated feed-forward layer, each behind a norm and beside a shortcut.
struct T5Block {
  private let attentionNorm, feedForwardNorm: WeightTensor
  private let query, key, value, attentionOut: Linear
  private let gate, feedForwardIn, feedForwardOut: Linear
  private let headCount: Int
  private let epsilon: Float

  init(_ scope: WeightScope, _ config: T5Config) throws(ModelError) {
    let channels = config.modelDimension
    let inner = config.headCount * config.keyValueDimension
    let attention = scope["layer.0"]
    let feedForward = scope["layer.1"]
    attentionNorm = try attention["layer_norm"].tensor("weight", [channels])
    query = try Linear(attention["SelfAttention.q"], channels, inner, hasBias: false)
    key = try Linear(attention["SelfAttention.k"], channels, inner, hasBias: false)
    value = try Linear(attention["SelfAttention.v"], channels, inner, hasBias: false)
    attentionOut = try Linear(attention["SelfAttention.o"], inner, channels, hasBias: false)
    feedForwardNorm = try feedForward["layer_norm"].tensor("weight", [channels])
    let wide = config.feedForwardDimension
    gate = try Linear(feedForward["DenseReluDense.wi_0"], channels, wide, hasBias: false)
    feedForwardIn = try Linear(feedForward["DenseReluDense.wi_1"], channels, wide, hasBias: false)
    feedForwardOut = try Linear(feedForward["DenseReluDense.wo"], wide, channels, hasBias: false)
    headCount = config.headCount
    epsilon = config.layerNormEpsilon
  }

  /// - Parameters:
  ///   - x: [tokens, modelDimension]
  ///   - bias: [headCount, tokens, tokens]
  func callAsFunction(_ x: Value, bias: Value, in graph: Graph) -> Value {
    let normed = graph.rmsNorm(x, epsilon: epsilon, weight: attentionNorm)
    let attended = graph.biasedAttention(
      queries: query(normed, in: graph), keys: key(normed, in: graph),
      values: value(normed, in: graph), bias: bias, headCount: headCount)
    let h = attentionOut(attended, adding: x, in: graph)
    let wide = graph.rmsNorm(h, epsilon: epsilon, weight: feedForwardNorm)
    let gated = graph.product(
      gate(wide, activation: .geluTanh, in: graph), feedForwardIn(wide, in: graph))
    return feedForwardOut(gated, adding: h, in: graph)
  }
}
