import ModelFiles
import TensorCore

extension WeightTensor {
  /// The first `count` slices along the outermost axis: the same bytes, fewer of them.
  func prefix(_ count: Int) -> WeightTensor {
    precondition(count <= shape[0])
    let slice = range.count / shape[0]
    return WeightTensor(
      name: name, shape: Shape([count] + shape.extents.dropFirst()), elementType: elementType,
      storage: storage, range: range.lowerBound..<range.lowerBound + count * slice)
  }

  /// A copy with the second axis (a convolution's input channels) in reverse order.
  func reversingSecondAxis() throws(ModelError) -> WeightTensor {
    let slice = shape.extents.dropFirst(2).reduce(elementType.byteCount, *)
    let row = shape[1] * slice
    var bytes: [UInt8] = []
    bytes.reserveCapacity(range.count)
    try read(range) { source in
      for start in stride(from: 0, to: source.count, by: row) {
        for channel in (0..<shape[1]).reversed() {
          bytes += source[start + channel * slice..<start + (channel + 1) * slice]
        }
      }
    }
    return WeightTensor(
      name: name, shape: shape, elementType: elementType, storage: HeldBytes(bytes),
      range: 0..<bytes.count)
  }

  /// One row of a matrix [rows, channels] as float32.
  func row(_ index: Int) throws(ModelError) -> [Float] {
    let channels = shape[1]
    let start = range.lowerBound + index * channels * elementType.byteCount
    return try read(start..<start + channels * elementType.byteCount) { bytes in
      (0..<channels).map { channel in
        switch elementType {
        case .f32:
          bytes.loadUnaligned(fromByteOffset: 4 * channel, as: Float.self)
        case .f16:
          Float(bytes.loadUnaligned(fromByteOffset: 2 * channel, as: Float16.self))
        case .bf16:
          Float(
            bitPattern: UInt32(bytes.loadUnaligned(fromByteOffset: 2 * channel, as: UInt16.self))
              << 16)
        }
      }
    }
  }

  private func read<R>(
    _ range: Range<Int>, _ body: (UnsafeRawBufferPointer) -> R
  ) throws(ModelError) -> R {
    do throws(StorageError) { return try storage.withBytes(in: range, body) } catch {
      throw ModelError(error)
    }
  }
}
