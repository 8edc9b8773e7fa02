import StrictJSON
import TensorCore

/// One tensor as a safetensors header lists it, checked.
struct StoredTensor: Equatable, Sendable {
  let name: String
  /// Verbatim, `F16` for example.
  let dtype: String
  let extents: [Int]
  /// Its bytes, counted from the start of the file.
  let range: Range<Int>
}

/// The table at the start of a safetensors file: 8 bytes of length, JSON, then the tensors' bytes
/// without gap or overlap.
///
/// Everything that the format forbids is refused, because a reader that trusts such a file reads
/// other tensors' bytes.
struct SafetensorsHeader: Equatable, Sendable {
  static let longest = 100_000_000
  static let mostTensors = 100_000

  /// By offset.
  let tensors: [StoredTensor]
  let metadata: [String: String]
  /// Where the tensors' bytes start.
  let dataOffset: Int

  /// - Parameters:
  ///   - file: what errors call the file.
  ///   - prefix: the file's bytes from its start: all of them, or at least the header.
  ///   - fileSize: in bytes.
  init(
    file: String, prefix: UnsafeRawBufferPointer, fileSize: Int
  ) throws(ModelError) {
    guard fileSize >= 8, prefix.count >= 8 else {
      throw ModelError(
        "\(file): expected a safetensors file, found \(fileSize) bytes: copy the file again")
    }
    let length = UInt64(littleEndian: prefix.loadUnaligned(as: UInt64.self))
    guard length <= Self.longest else {
      // As text it is the beginning of what Git keeps in a large file's place.
      if prefix.starts(with: "version ".utf8) {
        throw ModelError(
          "\(file): expected a safetensors file, found a pointer of Git LFS to it: git lfs pull")
      }
      throw ModelError(
        "\(file): the header says it is \(length) bytes long, at most \(Self.longest) are allowed: "
          + "this is no safetensors file, or it is damaged")
    }
    let dataOffset = 8 + Int(length)
    guard dataOffset <= fileSize, dataOffset <= prefix.count else {
      throw ModelError(
        "\(file): the header ends at byte \(dataOffset) but the file at byte \(fileSize): "
          + "the file is cut short, copy it again")
    }
    let (entries, metadata) = try Self.entries(
      file: file, text: UnsafeRawBufferPointer(rebasing: prefix[8..<dataOffset]))

    var tensors: [StoredTensor] = []
    tensors.reserveCapacity(entries.count)
    for (name, entry) in entries {
      let described = SafetensorsEntry(file: file, name: name)
      tensors.append(
        try described.tensor(entry, dataOffset: dataOffset, dataSize: fileSize - dataOffset))
    }
    tensors.sort {
      ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
    }
    try Self.checkCoverage(file: file, tensors, dataOffset: dataOffset, fileSize: fileSize)
    self.tensors = tensors
    self.metadata = metadata
    self.dataOffset = dataOffset
  }

  /// How many bytes from the file's start the header takes, its length included: never more than
  /// the file has, nor than a header may have.
  /// - Parameter prefix: the file's first 8 bytes, or fewer where it has no more.
  static func byteCount(prefix: UnsafeRawBufferPointer, fileSize: Int) -> Int {
    guard prefix.count >= 8 else { return prefix.count }
    let length = UInt64(littleEndian: prefix.loadUnaligned(as: UInt64.self))
    // A header that is too long is refused by its length alone.
    return length <= longest ? min(8 + Int(length), fileSize) : 8
  }

  private static func entries(
    file: String, text: UnsafeRawBufferPointer
  ) throws(ModelError) -> (tensors: [String: JSON], metadata: [String: String]) {
    let header: JSON
    do throws(JSONError) {
      header = try JSONParser.parse(text)
    } catch {
      throw ModelError(
        "\(file): the header is not valid JSON: \(error): the file is damaged, copy it again")
    }
    guard case .object(var entries) = header else {
      throw ModelError("\(file): the header should be a JSON object, found \(header.summary)")
    }
    var metadata: [String: String] = [:]
    if let value = entries.removeValue(forKey: "__metadata__") {
      metadata = value.object?.compactMapValues(\.string) ?? [:]
      guard metadata.count == value.object?.count else {
        throw ModelError("\(file): __metadata__ should hold strings only, found \(value.summary)")
      }
    }
    guard entries.count <= mostTensors else {
      throw ModelError(
        "\(file): the header lists \(entries.count) tensors, at most \(mostTensors) are allowed")
    }
    return (entries, metadata)
  }

  /// - Parameter tensors: sorted by offset.
  private static func checkCoverage(
    file: String, _ tensors: [StoredTensor], dataOffset: Int, fileSize: Int
  ) throws(ModelError) {
    var end = dataOffset
    var previous = "the header"
    for tensor in tensors {
      guard tensor.range.lowerBound >= end else {
        throw ModelError(
          "\(file): tensor \(tensor.name.quoted) starts at byte \(tensor.range.lowerBound - dataOffset) "
            + "of the data, within \(previous), which ends at \(end - dataOffset): tensors may not overlap"
        )
      }
      guard tensor.range.lowerBound == end else {
        throw ModelError(
          "\(file): \(tensor.range.lowerBound - end) bytes before tensor \(tensor.name.quoted) belong to "
            + "no tensor: the data may have no holes")
      }
      end = tensor.range.upperBound
      previous = "tensor " + tensor.name.quoted
    }
    guard end == fileSize else {
      throw ModelError(
        "\(file): the tensors end at byte \(end), the file at byte \(fileSize): "
          + "the data may have no holes, copy the file again")
    }
  }
}

/// Reads one entry of the header; kept apart so that every error names file and tensor.
private struct SafetensorsEntry {
  let file: String
  let name: String

  func error(_ rest: String) -> ModelError {
    ModelError("\(file): tensor \(name.quoted): \(rest)")
  }

  func tensor(_ entry: JSON, dataOffset: Int, dataSize: Int) throws(ModelError) -> StoredTensor {
    guard let members = entry.object else {
      throw error("expected dtype, shape and data_offsets, found \(entry.summary)")
    }
    for key in members.keys.sorted() where !["dtype", "shape", "data_offsets"].contains(key) {
      throw error("unknown key \(key.quoted) beside dtype, shape and data_offsets")
    }
    guard let dtype = members["dtype"]?.string else {
      throw error("dtype should be a string, found \(members["dtype"]?.summary ?? "none")")
    }
    guard let bits = Self.bitCounts[dtype] else {
      throw error("unknown dtype \(dtype.quoted): save the model as F32, F16 or BF16")
    }
    let extents = try wholeNumbers(members["shape"], "shape")
    let offsets = try wholeNumbers(members["data_offsets"], "data_offsets")
    guard offsets.count == 2, offsets[0] <= offsets[1], offsets[1] <= dataSize else {
      throw error(
        "data_offsets should be two rising positions within \(dataSize) bytes of data, found "
          + "\(members["data_offsets"]!.summary): the file is cut short or damaged, copy it again")
    }
    var size = bits
    for extent in extents {
      let (product, overflow) = size.multipliedReportingOverflow(by: extent)
      guard !overflow else {
        throw error("shape \(Self.show(extents)) has more elements than can be counted")
      }
      size = product
    }
    guard size % 8 == 0, size / 8 == offsets[1] - offsets[0] else {
      throw error(
        "\(dtype) of shape \(Self.show(extents)) takes \((size + 7) / 8) bytes, data_offsets give "
          + "\(offsets[1] - offsets[0]): the file is damaged, copy it again")
    }
    return StoredTensor(
      name: name, dtype: dtype, extents: extents,
      range: dataOffset + offsets[0]..<dataOffset + offsets[1])
  }

  private func wholeNumbers(_ value: JSON?, _ key: String) throws(ModelError) -> [Int] {
    guard let values = value?.array else {
      throw error("\(key) should be a list of whole numbers, found \(value?.summary ?? "none")")
    }
    var numbers: [Int] = []
    for value in values {
      guard let number = value.integer, number >= 0 else {
        throw error("\(key) should hold whole numbers from 0, found \(value.summary)")
      }
      numbers.append(number)
    }
    return numbers
  }

  private static func show(_ extents: [Int]) -> String {
    extents.isEmpty ? "scalar" : extents.prefix(8).map(String.init).joined(separator: "x")
  }

  /// Bits an element, for every dtype that the format knows.
  private static let bitCounts: [String: Int] = [
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "U16": 16, "I16": 16, "F16": 16, "BF16": 16,
    "U32": 32, "I32": 32, "F32": 32,
    "U64": 64, "I64": 64, "F64": 64, "C64": 64,
  ]
}
