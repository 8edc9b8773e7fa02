import CEmbeddedModel

/// The packed model that is part of the program.
enum EmbeddedModel {
  /// - Throws: `ModelError` in a program that was built without one.
  static func unpacked() throws(ModelError) -> PackedModel {
    guard tdm_embedded_model_size > 0 else {
      throw ModelError(
        "the embedded model: this program was built without one: give a model's folder")
    }
    return try PackedModel(
      name: "the embedded model",
      bytes: UnsafeRawBufferPointer(
        start: tdm_embedded_model_start(), count: tdm_embedded_model_size))
  }
}
