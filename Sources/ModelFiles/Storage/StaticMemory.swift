import TensorCore

/// Memory that is there as long as the program runs.
final class StaticMemory: WeightStorage, @unchecked Sendable {
  // Sendable: nobody writes there.
  private let bytes: UnsafeRawBufferPointer

  init(start: UnsafePointer<UInt8>, byteCount: Int) {
    bytes = UnsafeRawBufferPointer(start: start, count: byteCount)
  }

  func withBytes<R>(
    in range: Range<Int>, _ body: (UnsafeRawBufferPointer) -> R
  ) throws(StorageError) -> R { body(UnsafeRawBufferPointer(rebasing: bytes[range])) }
}
