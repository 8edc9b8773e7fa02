/// Bytes in memory that stand for a file's.
package final class HeldBytes: WeightStorage {
  private let bytes: [UInt8]

  package init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Reading beyond them is a fault of the caller's.
  package func withBytes<R>(
    in range: Range<Int>, _ body: (UnsafeRawBufferPointer) -> R
  ) throws(StorageError) -> R {
    bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }
}
