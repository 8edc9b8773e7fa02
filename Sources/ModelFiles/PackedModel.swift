import CZstd
import StrictJSON
import TensorCore

/// A model in one compressed file, unpacked into memory: what the program carries in itself.
///
/// The format is described in `Protocol/model-files.md` and tdm-model(5).
struct PackedModel: FileTree {
  static let magic = Array("TDMPACK\n".utf8)
  static let headerSize = 32
  /// Files lie on multiples of this, as the memory that they are unpacked into.
  static let alignment = AlignedMemory.alignment
  private static let largestContent = 4 << 30
  private static let largestIndex = 1 << 20
  /// Weights shrink by a fifth, vocabularies by three quarters. A frame that promises more is no
  /// model.
  private static let largestRatio = 64

  let name: String
  private let content: UnpackedMemory
  private let files: [String: Range<Int>]

  /// - Parameters:
  ///   - name: what errors call it.
  ///   - bytes: the whole file.
  /// - Throws: `ModelError` where the file is damaged or promises more than it can hold: nothing is
  ///   unpacked before the promise was checked.
  init(name: String, bytes: UnsafeRawBufferPointer) throws(ModelError) {
    let header = try PackedHeader(name: name, bytes: bytes, byteCount: bytes.count)
    let frame = UnsafeRawBufferPointer(rebasing: bytes[Self.headerSize...])
    guard header.contentSize <= Self.largestContent,
      header.contentSize <= frame.count * Self.largestRatio + Self.largestIndex
    else {
      throw ModelError(
        "\(name): \(frame.count) compressed bytes promise \(header.contentSize), more than a model "
          + "unpacks to: the file is damaged, copy it again")
    }
    guard header.indexSize <= min(Self.largestIndex, header.contentSize) else {
      throw Self.damaged(name, "its index should not be \(header.indexSize) bytes long")
    }
    // In the byte behind zstd's magic bit 2 tells of a checksum; 3 and 4 mean nothing and are 0
    // (RFC 8878, 3.1.1.1.1).
    guard ZSTD_getFrameContentSize(frame.baseAddress, frame.count) == UInt64(header.contentSize),
      ZSTD_findFrameCompressedSize(frame.baseAddress, frame.count) == frame.count,
      frame[4] & 0b11100 == 0b100
    else {
      throw Self.damaged(
        name, "expected one zstd frame with size and checksum, \(header.contentSize) bytes unpacked"
      )
    }
    let memory: AlignedMemory
    do throws(OutOfMemory) {
      memory = try AlignedMemory(checking: header.contentSize, for: name)
    } catch { throw ModelError(.outOfMemory(error)) }
    let size = ZSTD_decompress(memory.pointer, header.contentSize, frame.baseAddress, frame.count)
    guard ZSTD_isError(size) == 0, size == header.contentSize else {
      throw Self.damaged(
        name, ZSTD_isError(size) == 0 ? "too short" : String(cString: ZSTD_getErrorName(size)))
    }
    let content = UnsafeMutableRawBufferPointer(start: memory.pointer, count: header.contentSize)
    let entries = try Self.entries(
      name: name, index: UnsafeRawBufferPointer(rebasing: content[0..<header.indexSize]))
    files = try Self.place(entries, in: content, after: header.indexSize, name: name)
    self.name = name
    self.content = UnpackedMemory(memory, byteCount: header.contentSize)
  }

  init(_ file: ReadFile) throws(ModelError) {
    let whole = StoredFile(name: file.path, storage: file, range: 0..<file.byteCount)
    // What is none is not read as a whole.
    _ = try whole.withBytes(0..<min(Self.headerSize, file.byteCount)) { bytes throws(ModelError) in
      try PackedHeader(name: file.path, bytes: bytes, byteCount: file.byteCount)
    }
    self = try whole.withBytes { bytes throws(ModelError) in
      try PackedModel(name: file.path, bytes: bytes)
    }
  }

  static func damaged(_ name: String, _ reason: String) -> ModelError {
    ModelError("\(name): damaged packed model: \(reason): copy the file again or pack it anew")
  }

  private struct Entry {
    let path: String
    let size: Int
    /// From where on the bytes are parted into all low and all high halves of 16-bit numbers.
    let planesFrom: Int?
  }

  private static func entries(
    name: String, index: UnsafeRawBufferPointer
  ) throws(ModelError) -> [Entry] {
    let value: JSON
    do throws(JSONError) {
      value = try JSONParser.parse(index)
    } catch {
      throw damaged(name, "its index is not valid JSON: \(error)")
    }
    guard let list = value.object?["files"]?.array else {
      throw damaged(name, "its index should list files")
    }
    var entries: [Entry] = []
    for item in list {
      guard let path = item.object?["path"]?.string, let size = item.object?["size"]?.integer,
        size >= 0
      else {
        throw damaged(name, "file \(entries.count) of its index should have a path and a size")
      }
      var planesFrom: Int?
      if let value = item.object?["planesFrom"] {
        guard let from = value.integer, (0...size).contains(from), (size - from) % 2 == 0 else {
          throw damaged(
            name, "\(path.quoted): planesFrom \(value.summary) does not fit its size \(size)")
        }
        planesFrom = from
      }
      entries.append(Entry(path: path, size: size, planesFrom: planesFrom))
    }
    return entries
  }

  /// Finds where each file lies and joins the halves of its numbers.
  private static func place(
    _ entries: [Entry], in content: UnsafeMutableRawBufferPointer, after indexSize: Int,
    name: String
  ) throws(ModelError) -> [String: Range<Int>] {
    var files: [String: Range<Int>] = [:]
    var end = indexSize
    for entry in entries {
      let start = end.roundedUp(to: alignment)
      guard start <= content.count, entry.size <= content.count - start else {
        throw damaged(name, "\(entry.path.quoted) should end within \(content.count) bytes")
      }
      end = start + entry.size
      guard files.updateValue(start..<end, forKey: entry.path) == nil else {
        throw damaged(name, "\(entry.path.quoted) is there twice")
      }
      if let from = entry.planesFrom {
        joinPlanes(UnsafeMutableRawBufferPointer(rebasing: content[start + from..<end]))
      }
    }
    guard end == content.count else {
      throw damaged(name, "its files end at byte \(end) of \(content.count)")
    }
    return files
  }

  /// Low bytes, then as many high bytes, become 16-bit little-endian numbers.
  private static func joinPlanes(_ bytes: UnsafeMutableRawBufferPointer) {
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

  func file(_ path: String) throws(ModelError) -> StoredFile? {
    files[path].map { StoredFile(name: place(path), storage: content, range: $0) }
  }

  func names(in folder: String) -> [String] {
    let prefix = folder.isEmpty ? "" : folder + "/"
    return files.keys.filter { $0.hasPrefix(prefix) }.map { $0.dropFirst(prefix.count) }
      .filter { !$0.contains("/") }.map(String.init).sorted()
  }
}

/// The 32 bytes at the start of a packed model.
private struct PackedHeader {
  let indexSize: Int
  let contentSize: Int

  /// - Parameters:
  ///   - bytes: the file's beginning.
  ///   - byteCount: of the whole file.
  init(name: String, bytes: UnsafeRawBufferPointer, byteCount: Int) throws(ModelError) {
    guard byteCount > PackedModel.headerSize, bytes.starts(with: PackedModel.magic) else {
      throw ModelError(
        "\(name): expected a packed model, found a file of \(byteCount) bytes that is none: "
          + "give a .tdmpack file or a model's folder")
    }
    func number<T: FixedWidthInteger>(at offset: Int, _ type: T.Type) -> T {
      T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
    }
    let version = number(at: 8, UInt32.self)
    guard version == 1 else {
      throw ModelError(
        "\(name): packed in version \(version) of the format, expected 1: pack the model anew")
    }
    indexSize = Int(number(at: 12, UInt32.self))
    guard let contentSize = Int(exactly: number(at: 16, UInt64.self)), contentSize > 0,
      number(at: 24, UInt64.self) == UInt64(byteCount - PackedModel.headerSize)
    else {
      throw PackedModel.damaged(
        name,
        "its header promises \(number(at: 24, UInt64.self)) compressed bytes, found "
          + "\(byteCount - PackedModel.headerSize)")
    }
    self.contentSize = contentSize
  }
}

/// What was unpacked. It leaves memory when nothing refers to it any more.
private final class UnpackedMemory: WeightStorage {
  private let memory: AlignedMemory
  private let byteCount: Int

  init(_ memory: AlignedMemory, byteCount: Int) {
    self.memory = memory
    self.byteCount = byteCount
  }

  func withBytes<R>(
    in range: Range<Int>, _ body: (UnsafeRawBufferPointer) -> R
  ) throws(StorageError) -> R {
    let all = UnsafeRawBufferPointer(start: memory.pointer, count: byteCount)
    return body(UnsafeRawBufferPointer(rebasing: all[range]))
  }
}
