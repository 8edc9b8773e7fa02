import StrictJSON
import TensorCore

/// A model in one file, each of its files compressed by itself: what the program carries in itself.
///
/// The format is described in `Protocol/model-files.md` and tdm-model(5).
struct PackedModel: FileTree {
  static let magic = Array("TDMPACK\n".utf8)
  static let version: UInt32 = 3
  static let headerSize = 32
  private static let largestIndex = 1 << 20

  let name: String
  private let files: [String: PackedFile]

  /// Reads the index; nothing else is unpacked before it is asked for.
  /// - Parameters:
  ///   - name: what errors call it.
  ///   - storage: has the file in its first `byteCount` bytes.
  /// - Throws: `ModelError` where the file is none, damaged, or promises more than it can hold.
  init(name: String, storage: any WeightStorage, byteCount: Int) throws(ModelError) {
    let whole = StoredFile(name: name, storage: storage, range: 0..<byteCount)
    let header = try whole.withBytes(0..<min(Self.headerSize, byteCount)) {
      bytes throws(ModelError) in
      try PackedHeader(name: name, bytes: bytes, byteCount: byteCount)
    }
    let end = Self.headerSize + header.packedIndexSize
    guard end <= byteCount, header.indexSize <= Self.largestIndex else {
      throw ModelError(damagedPack: name, "its index should not be \(header.indexSize) bytes long")
    }
    let index = PackedFile(
      name: name, storage: storage, range: Self.headerSize..<end, size: header.indexSize,
      numbers: nil, cache: UnpackedFile())
    files = try Self.place(
      Self.entries(StoredFile(name: name, storage: index, range: 0..<header.indexSize)),
      in: storage, from: end, to: byteCount, name: name)
    self.name = name
  }

  init(_ file: ReadFile) throws(ModelError) {
    try self.init(name: file.path, storage: file, byteCount: file.byteCount)
  }

  private struct Entry {
    let path: String
    let size: Int
    let packedSize: Int
    let numbers: PackedNumbers?
  }

  private static func entries(_ index: StoredFile) throws(ModelError) -> [Entry] {
    let name = index.name
    let value = try index.withBytes { bytes throws(ModelError) in
      do throws(JSONError) { return try JSONParser.parse(bytes) } catch {
        throw ModelError(damagedPack: name, "its index is not valid JSON: \(error)")
      }
    }
    guard let list = value.object?["files"]?.array else {
      throw ModelError(damagedPack: name, "its index should list files")
    }
    var entries: [Entry] = []
    for item in list {
      guard let path = item.object?["path"]?.string, let size = item.object?["size"]?.integer,
        let packedSize = item.object?["packed"]?.integer, size >= 0, packedSize >= 0
      else {
        throw ModelError(
          damagedPack: name,
          "file \(entries.count) of its index should have a path, a size and a packed size")
      }
      let numbers: PackedNumbers?
      do throws(PackedNumbers.Misfit) {
        numbers = try PackedNumbers(item, size: size)
      } catch {
        throw ModelError(damagedPack: name, "\(path.quoted): \(error.reason)")
      }
      entries.append(Entry(path: path, size: size, packedSize: packedSize, numbers: numbers))
    }
    return entries
  }

  /// Finds where each file's frame lies: one after the other, to the end.
  private static func place(
    _ entries: [Entry], in storage: any WeightStorage, from start: Int, to byteCount: Int,
    name: String
  ) throws(ModelError) -> [String: PackedFile] {
    let cache = UnpackedFile()
    var files: [String: PackedFile] = [:]
    var end = start
    for entry in entries {
      guard entry.packedSize <= byteCount - end else {
        throw ModelError(
          damagedPack: name, "\(entry.path.quoted) should end within \(byteCount) bytes")
      }
      let file = PackedFile(
        name: "\(name)/\(entry.path)", storage: storage, range: end..<end + entry.packedSize,
        size: entry.size, numbers: entry.numbers, cache: cache)
      end += entry.packedSize
      guard files.updateValue(file, forKey: entry.path) == nil else {
        throw ModelError(damagedPack: name, "\(entry.path.quoted) is there twice")
      }
    }
    guard end == byteCount else {
      throw ModelError(damagedPack: name, "its files end at byte \(end) of \(byteCount)")
    }
    return files
  }

  func file(_ path: String) throws(ModelError) -> StoredFile? {
    files[path].map { StoredFile(name: place(path), storage: $0, range: 0..<$0.size) }
  }

  func names(in folder: String) -> [String] {
    let prefix = folder.isEmpty ? "" : folder + "/"
    return files.keys.filter { $0.hasPrefix(prefix) }.map { $0.dropFirst(prefix.count) }
      .filter { !$0.contains("/") }.map(String.init).sorted()
  }
}

extension ModelError {
  init(damagedPack name: String, _ reason: String) {
    self.init("\(name): damaged packed model: \(reason): copy the file again or pack it anew")
  }
}

/// The 32 bytes at the start of a packed model.
private struct PackedHeader {
  let packedIndexSize: Int
  let indexSize: Int

  /// - Parameters:
  ///   - bytes: the file's beginning.
  ///   - byteCount: of the whole file.
  init(name: String, bytes: UnsafeRawBufferPointer, byteCount: Int) throws(ModelError) {
    guard byteCount > PackedModel.headerSize, bytes.starts(with: PackedModel.magic) else {
      throw ModelError(
        "\(name): expected a packed model, found a file of \(byteCount) bytes that is none: "
          + "give a model's folder, a .safetensors or a .tdmpack file")
    }
    func number<T: FixedWidthInteger>(at offset: Int, _ type: T.Type) -> T {
      T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
    }
    let version = number(at: 8, UInt32.self)
    guard version == PackedModel.version else {
      throw ModelError(
        "\(name): packed in version \(version) of the format, expected \(PackedModel.version): "
          + "pack the model anew")
    }
    packedIndexSize = Int(number(at: 12, UInt32.self))
    indexSize = Int(number(at: 16, UInt32.self))
    guard number(at: 24, UInt64.self) == UInt64(byteCount), number(at: 20, UInt32.self) == 0 else {
      throw ModelError(
        damagedPack: name,
        "its header promises \(number(at: 24, UInt64.self)) bytes, found \(byteCount)")
    }
  }
}
