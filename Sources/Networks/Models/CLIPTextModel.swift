import Kernels
import ModelFiles
import TensorCore

/// CLIP's text transformer: a feature for each token of a prompt.
///
/// Reference: Radford et al. 2021, section 2.4; names as in transformers.
public struct CLIPTextModel {
  public let config: CLIPTextConfig
  let tokenEmbedding, positionEmbedding: WeightTensor
  let layers: [CLIPEncoderLayer]
  let finalLayerNorm: LayerNorm

  /// - Throws: `ModelError` where configuration and weights do not belong together.
  public init(_ folder: ModelFolder) throws(ModelError) {
    let scope = try folder.weights(of: .textEncoder)
    try self.init(scope, folder.textConfig())
    try scope.finish()
  }

  public init(_ scope: WeightScope, _ config: CLIPTextConfig) throws(ModelError) {
    self.config = config
    let scope = scope["text_model"]
    tokenEmbedding = try scope["embeddings.token_embedding"]
      .tensor("weight", [config.vocabularySize, config.hiddenSize])
    positionEmbedding = try scope["embeddings.position_embedding"]
      .tensor("weight", [config.maxPositionCount, config.hiddenSize])
    var layers: [CLIPEncoderLayer] = []
    for layer in 0..<config.layerCount {
      layers.append(try CLIPEncoderLayer(scope["encoder.layers", layer], config))
    }
    self.layers = layers
    finalLayerNorm = try LayerNorm(
      scope["final_layer_norm"], config.hiddenSize, epsilon: config.layerNormEpsilon)
  }

  /// The tokens' embeddings, each with its position's added: [tokens, hiddenSize]. A few rows of a
  /// large table: read from the checkpoint, where the table stays.
  /// - Throws: `ModelError` where a token is not in the vocabulary, or there are more than
  ///   positions.
  public func embed(_ tokenIDs: [Int32]) throws(ModelError) -> Tensor {
    guard tokenIDs.count <= config.maxPositionCount else {
      throw ModelError(
        "text_encoder: \(tokenIDs.count) tokens, expected max_position_embeddings "
          + "\(config.maxPositionCount) at most: the tokenizer belongs to another model")
    }
    var elements: [Float] = []
    for (position, id) in tokenIDs.enumerated() {
      guard 0..<config.vocabularySize ~= Int(id) else {
        throw ModelError(
          "text_encoder: token \(id), expected less than vocab_size \(config.vocabularySize): "
            + "the tokenizer belongs to another model")
      }
      let (token, place) = (
        try tokenEmbedding.row(Int(id)), try positionEmbedding.row(position)
      )
      elements += zip(token, place).map { $0 + $1 }
    }
    return Tensor([tokenIDs.count, config.hiddenSize], elements)
  }

  /// - Parameter embeddings: [tokens, hiddenSize]
  /// - Returns: the last hidden state behind the final norm, shaped as `embeddings`.
  public func callAsFunction(_ embeddings: Value, in graph: Graph) -> Value {
    var h = embeddings
    for layer in layers { h = layer(h, in: graph) }
    return finalLayerNorm(h, in: graph)
  }
}
