import CEmbeddedModel
import TensorCore

/// The packed model that is part of the program.
enum EmbeddedModel {
  /// - Throws: `ModelError` in a program that was built without one.
  static func packed() throws(ModelError) -> PackedModel {
    guard tdm_embedded_model_size > 0 else {
      throw ModelError(
        "the embedded model: this program was built without one: give a model's folder")
    }
    let bytes = UnsafeRawBufferPointer(
      start: tdm_embedded_model_start(), count: tdm_embedded_model_size)
    return try PackedModel(
      name: "the embedded model", storage: StaticMemory(bytes), byteCount: bytes.count)
  }
}

/// Memory that is there as long as the program runs.
private final class StaticMemory: WeightStorage, @unchecked Sendable {
  // Sendable: nobody writes there.
  private let bytes: UnsafeRawBufferPointer

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  func withBytes<R>(
    in range: Range<Int>, _ body: (UnsafeRawBufferPointer) -> R
  ) throws(StorageError) -> R { body(UnsafeRawBufferPointer(rebasing: bytes[range])) }
}
