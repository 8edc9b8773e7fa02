/// Where a checkpoint's bytes lie: a mapped file, or memory that was unpacked.
public protocol WeightStorage: AnyObject, Sendable {
  /// Calls `body` with the storage's bytes in `range`.
  func withBytes<R>(in range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows
    -> R

  /// Tells that the bytes in `range` were copied elsewhere and need not stay in memory. They can still be read.
  func discard(_ range: Range<Int>)
}

/// One tensor of a checkpoint, still in the file's element type.
public struct WeightTensor: Sendable {
  /// The checkpoint's own name, with the part in front: `unet/down_blocks.0.resnets.0.conv1.weight`.
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

  /// The same bytes under another shape with as many elements.
  public func reshaped(_ shape: Shape) -> WeightTensor {
    precondition(shape.count == self.shape.count)
    return WeightTensor(
      name: name, shape: shape, elementType: elementType, storage: storage, range: range)
  }
}
