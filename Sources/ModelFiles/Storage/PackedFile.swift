import CZstd
import Synchronization
import TensorCore

/// A file of a packed model: a zstd frame, unpacked when it is read.
///
/// It is the same object whenever it is asked for, so that what a device made of its weights serves
/// again.
final class PackedFile: WeightStorage {
  /// Weights shrink by a fifth, vocabularies by three quarters. A frame that promises more is no
  /// part of a model.
  private static let largestRatio = 64
  private static let leastAllowed = 1 << 20

  /// Unpacked, in bytes.
  let size: Int
  private let name: String
  private let storage: any WeightStorage
  private let range: Range<Int>
  /// From where on the bytes are parted into all low and all high halves of 16-bit numbers.
  private let planesFrom: Int?
  private let cache: UnpackedFile

  /// - Parameters:
  ///   - name: what errors call it.
  ///   - range: where the frame lies in `storage`.
  ///   - cache: of the files of one model.
  init(
    name: String, storage: any WeightStorage, range: Range<Int>, size: Int, planesFrom: Int?,
    cache: UnpackedFile
  ) {
    self.name = name
    self.storage = storage
    self.range = range
    self.size = size
    self.planesFrom = planesFrom
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
    let memory: AlignedMemory
    do throws(OutOfMemory) {
      memory = try AlignedMemory(checking: size, for: name)
    } catch { throw .outOfMemory(error) }
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
    if let planesFrom {
      joinPlanes(
        UnsafeMutableRawBufferPointer(start: memory.pointer + planesFrom, count: size - planesFrom))
    }
    return memory
  }

  private func damaged(_ reason: String) -> StorageError {
    .unreadable("\(ModelError(damagedPack: name, reason))")
  }

  /// Low bytes, then as many high bytes, become 16-bit little-endian numbers.
  private func joinPlanes(_ bytes: UnsafeMutableRawBufferPointer) {
    let count = bytes.count / 2
    guard count > 0 else { return }
    withUnsafeTemporaryAllocation(byteCount: bytes.count, alignment: 1) { copy in
      copy.copyMemory(from: UnsafeRawBufferPointer(bytes))
      let low = copy.baseAddress!.assumingMemoryBound(to: UInt8.self)
      let high = low + count
      let target = bytes.baseAddress!.assumingMemoryBound(to: UInt8.self)
      for index in 0..<count {
        target[2 * index] = low[index]
        target[2 * index + 1] = high[index]
      }
    }
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
