import CEmbeddedModel

/// The packed model that is part of the program.
enum EmbeddedModel {
  /// - Throws: `ModelError` in a program that was built without one.
  static func packed() throws(ModelError) -> PackedModel {
    let byteCount = tdm_embedded_model_size
    guard byteCount > 0 else {
      throw ModelError(
        "the embedded model: this program was built without one: give a model's folder")
    }
    return try PackedModel(
      name: "the embedded model",
      storage: StaticMemory(start: tdm_embedded_model_start(), byteCount: byteCount),
      byteCount: byteCount)
  }
}
