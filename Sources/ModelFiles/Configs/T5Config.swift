/// T5EncoderModel's configuration: `text_encoder/config.json`. Of its versions 1.1, whose
/// feed-forward layers are gated.
public struct T5Config: Sendable, Equatable {
  public var vocabularySize: Int
  /// Channels of a token.
  public var modelDimension: Int
  /// Of a head's keys and values.
  public var keyValueDimension: Int
  public var feedForwardDimension: Int
  public var layerCount: Int
  public var headCount: Int
  /// Into how many classes the distances between tokens fall, each with a bias of its own.
  public var relativeBucketCount: Int
  /// From where on all distances are of one class.
  public var relativeMaxDistance: Int
  public var layerNormEpsilon: Float

  init(_ reader: ConfigReader) throws(ModelError) {
    try reader.require("model_type", oneOf: .string("t5"))
    guard reader.members["feed_forward_proj"]?.string == "gated-gelu" else {
      throw reader.error(
        "feed_forward_proj", expected: "\"gated-gelu\"", "nothing else is supported")
    }
    vocabularySize = try reader.int("vocab_size", default: 32128, in: 1...10_000_000)
    modelDimension = try reader.int("d_model", default: 512)
    keyValueDimension = try reader.int("d_kv", default: 64)
    feedForwardDimension = try reader.int("d_ff", default: 2048)
    layerCount = try reader.int("num_layers", default: 6, in: 1...1024)
    headCount = try reader.int("num_heads", default: 8)
    relativeBucketCount = try reader.int(
      "relative_attention_num_buckets", default: 32, in: 4...65536)
    relativeMaxDistance = try reader.int(
      "relative_attention_max_distance", default: 128, in: 2...1_000_000)
    layerNormEpsilon = Float(try reader.double("layer_norm_epsilon", default: 1e-6, atLeast: 0))
    guard relativeMaxDistance > relativeBucketCount / 4 else {
      throw reader.error(
        "relative_attention_max_distance",
        expected: "more than a quarter of relative_attention_num_buckets \(relativeBucketCount)")
    }
  }
}
