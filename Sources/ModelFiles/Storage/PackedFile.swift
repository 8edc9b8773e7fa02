import CZstd
import Synchronization
import TensorCore

/// A file of a packed model: a zstd frame, unpacked when it is read.
///
/// It is the same object whenever it is asked for, so that what a device made of its weights serves
/// again.
final class PackedFile: WeightStorage {
  /// Weights shrink by a fifth, or to a third, vocabularies by three quarters. A frame that
  /// promises more is no part of a model.
  private static let largestRatio = 64
  private static let leastAllowed = 1 << 20

  /// Unpacked, in bytes.
  let size: Int
  private let name: String
  private let storage: any WeightStorage
  private let range: Range<Int>
  /// How its numbers are kept, where they are not as in the file.
  private let numbers: PackedNumbers?
  private let cache: UnpackedFile

  /// - Parameters:
  ///   - name: what errors call it.
  ///   - range: where the frame lies in `storage`.
  ///   - cache: of the files of one model.
  init(
    name: String, storage: any WeightStorage, range: Range<Int>, size: Int, numbers: PackedNumbers?,
    cache: UnpackedFile
  ) {
    self.name = name
    self.storage = storage
    self.range = range
    self.size = size
    self.numbers = numbers
    self.cache = cache
  }

  func withBytes<R>(
    in range: Range<Int>, _ body: (UnsafeRawBufferPointer) -> R
  ) throws(StorageError) -> R {
    precondition(range.lowerBound >= 0 && range.upperBound <= size)
    let memory = try cache.content(of: self)
    return body(
      UnsafeRawBufferPointer(start: memory.pointer + range.lowerBound, count: range.count))
  }

  /// - Throws: ``StorageError`` where the frame is damaged or promises more than it can hold:
  ///   nothing is unpacked before the promise was checked.
  fileprivate func unpacked() throws(StorageError) -> AlignedMemory {
    guard size <= range.count * Self.largestRatio + Self.leastAllowed else {
      throw damaged("\(range.count) compressed bytes promise \(size), more than a model unpacks to")
    }
    guard let numbers else { return try content(of: size) }
    // Where there is none, or it says nothing, it is greater than any file's.
    let frameSize = try storage.withBytes(in: range) { frame in
      ZSTD_getFrameContentSize(frame.baseAddress, frame.count)
    }
    guard frameSize <= numbers.mostKept(of: size) else {
      throw damaged("expected one zstd frame of a file of \(size) bytes")
    }
    let kept = try content(of: Int(frameSize))
    let file = try memory(size)
    let isWhole = numbers.unpack(
      UnsafeRawBufferPointer(start: kept.pointer, count: Int(frameSize)),
      into: UnsafeMutableRawBufferPointer(start: file.pointer, count: size))
    guard isWhole else { throw damaged("its frame has another number of weights than its index") }
    return file
  }

  /// The frame's content.
  private func content(of size: Int) throws(StorageError) -> AlignedMemory {
    let memory = try memory(size)
    let reason: String? = try storage.withBytes(in: range) { frame in
      // In the byte behind zstd's magic bit 2 tells of a checksum; 3 and 4 mean nothing and are 0
      // (RFC 8878, 3.1.1.1.1).
      guard ZSTD_getFrameContentSize(frame.baseAddress, frame.count) == UInt64(size),
        ZSTD_findFrameCompressedSize(frame.baseAddress, frame.count) == frame.count,
        frame[4] & 0b11100 == 0b100
      else { return "expected one zstd frame with size and checksum, \(size) bytes unpacked" }
      let found = ZSTD_decompress(memory.pointer, size, frame.baseAddress, frame.count)
      if ZSTD_isError(found) != 0 { return String(cString: ZSTD_getErrorName(found)) }
      return found == size ? nil : "too short"
    }
    if let reason { throw damaged(reason) }
    return memory
  }

  private func memory(_ byteCount: Int) throws(StorageError) -> AlignedMemory {
    do throws(OutOfMemory) {
      return try AlignedMemory(checking: byteCount, for: name)
    } catch { throw .outOfMemory(error) }
  }

  private func damaged(_ reason: String) -> StorageError {
    .unreadable("\(ModelError(damagedPack: name, reason))")
  }
}

/// The file of a packed model that was read last, as networks read theirs a tensor at a time. Small
/// ones are unpacked each time, and do not take a large one's place.
final class UnpackedFile: Sendable {
  private static let small = 1 << 16
  private let last = Mutex<(file: ObjectIdentifier, content: AlignedMemory)?>(nil)

  fileprivate func content(of file: PackedFile) throws(StorageError) -> AlignedMemory {
    let identifier = ObjectIdentifier(file)
    if let content = last.withLock({ $0?.file == identifier ? $0?.content : nil }) {
      return content
    }
    if file.size > Self.small {
      // Two are never there at a time.
      last.withLock { $0 = nil }
    }
    let content = try file.unpacked()
    if file.size > Self.small { last.withLock { $0 = (identifier, content) } }
    return content
  }
}
