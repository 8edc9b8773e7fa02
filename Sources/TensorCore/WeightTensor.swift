/// Where a checkpoint's bytes lie: a file, or memory.
public protocol WeightStorage: AnyObject, Sendable {
  /// Calls `body` with the storage's bytes in `range`. They do not stay in memory beyond the call
  /// unless they were there.
  /// - Throws: ``StorageError`` where a file no longer has them, or there is no memory for them.
  func withBytes<R>(
    in range: Range<Int>, _ body: (UnsafeRawBufferPointer) -> R
  ) throws(StorageError) -> R
}

/// Why bytes that were there when a checkpoint was opened cannot be had. One line.
public enum StorageError: Error, CustomStringConvertible {
  case unreadable(String)
  case outOfMemory(OutOfMemory)

  public var description: String {
    switch self {
    case .unreadable(let line): line
    case .outOfMemory(let error): error.description
    }
  }
}

/// One tensor of a checkpoint, still in the file's element type.
public struct WeightTensor: Sendable {
  /// The checkpoint's own name, with the part in front:
  /// `unet/down_blocks.0.resnets.0.conv1.weight`.
  public let name: String
  public let shape: Shape
  public let elementType: ElementType
  public let storage: any WeightStorage
  /// The tensor's bytes in `storage`, row-major, little endian.
  public let range: Range<Int>

  public init(
    name: String, shape: Shape, elementType: ElementType, storage: any WeightStorage,
    range: Range<Int>
  ) {
    self.name = name
    self.shape = shape
    self.elementType = elementType
    self.storage = storage
    self.range = range
  }
}
