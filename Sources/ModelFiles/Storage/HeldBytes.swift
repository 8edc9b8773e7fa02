import TensorCore

/// Bytes in memory that stand for a file's.
private final class HeldBytes: WeightStorage {
  private let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func withBytes<R>(
    in range: Range<Int>, _ body: (UnsafeRawBufferPointer) -> R
  ) throws(StorageError) -> R {
    bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }
}

extension StoredFile {
  /// A file that lies nowhere.
  init(name: String, bytes: [UInt8]) {
    self.init(name: name, storage: HeldBytes(bytes), range: 0..<bytes.count)
  }
}
