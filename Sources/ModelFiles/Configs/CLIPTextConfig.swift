/// CLIPTextModel's configuration: `text_encoder/config.json`.
public struct CLIPTextConfig: Sendable, Equatable {
  public enum Activation: String, Sendable, CaseIterable {
    /// x times sigmoid(1.702 x).
    case quickGELU = "quick_gelu"
    case gelu
  }

  public var vocabularySize: Int
  public var hiddenSize: Int
  public var intermediateSize: Int
  public var layerCount: Int
  public var headCount: Int
  public var maxPositionCount: Int
  public var activation: Activation
  public var layerNormEpsilon: Float

  /// The number of tokens of every prompt: CLIP's, or as many as there are places for.
  public var promptLength: Int { min(77, maxPositionCount) }

  init(_ reader: ConfigReader) throws(ModelError) {
    try reader.require("model_type", oneOf: .string("clip_text_model"))
    vocabularySize = try reader.int("vocab_size", default: 49408, in: 1...10_000_000)
    hiddenSize = try reader.int("hidden_size", default: 512)
    intermediateSize = try reader.int("intermediate_size", default: 2048)
    layerCount = try reader.int("num_hidden_layers", default: 12, in: 1...1024)
    headCount = try reader.int("num_attention_heads", default: 8)
    // The first and the last token take two of them.
    maxPositionCount = try reader.int("max_position_embeddings", default: 77, in: 3...65536)
    activation = try reader.choice("hidden_act", default: .quickGELU)
    layerNormEpsilon = Float(try reader.double("layer_norm_eps", default: 1e-5, atLeast: 0))
    try reader.requireDivisible("hidden_size", hiddenSize, by: "num_attention_heads", headCount)
  }
}
