import StrictJSON
import TensorCore

/// A file of a model, ready to be read.
struct StoredFile: Sendable {
  /// What errors call it.
  let name: String
  let storage: any WeightStorage
  /// Its bytes in `storage`.
  let range: Range<Int>

  /// Of a file that is read as a whole, in bytes: the largest vocabularies take 16 MiB.
  private static let longestWhole = 64 << 20

  /// - Throws: `ModelError` also where the file is larger than any of its kind.
  func json() throws(ModelError) -> JSON {
    try requireSize()
    return try withBytes { bytes throws(ModelError) in
      do throws(JSONError) { return try JSONParser.parse(bytes, numbers: .any) } catch {
        throw ModelError("\(name): not valid JSON: \(error): copy the file again")
      }
    }
  }

  func object() throws(ModelError) -> [String: JSON] {
    let value = try json()
    guard let object = value.object else {
      throw ModelError("\(name): expected a JSON object, found \(value.summary)")
    }
    return object
  }

  /// - Throws: as ``json()``.
  func bytes() throws(ModelError) -> [UInt8] {
    try requireSize()
    return try withBytes { [UInt8]($0) }
  }

  private func requireSize() throws(ModelError) {
    guard range.count <= Self.longestWhole else {
      throw ModelError(
        "\(name): expected a file of \(Self.longestWhole >> 20) MiB at most, found \(range.count) bytes: "
          + "copy the file again")
    }
  }

  /// - Parameter part: of the file's bytes; nil for all of them.
  func withBytes<R>(
    _ part: Range<Int>? = nil, _ body: (UnsafeRawBufferPointer) throws(ModelError) -> R
  ) throws(ModelError) -> R {
    let start = range.lowerBound
    let place = part.map { start + $0.lowerBound..<start + $0.upperBound } ?? range
    // The storage's errors are of another kind than the body's: these come out of it as a result.
    let result: Result<R, ModelError>
    do throws(StorageError) {
      result = try storage.withBytes(in: place) { bytes in
        Result { () throws(ModelError) in try body(bytes) }
      }
    } catch { throw ModelError(error) }
    return try result.get()
  }
}

extension StoredFile {
  /// A file that lies nowhere.
  init(name: String, bytes: [UInt8]) {
    self.init(name: name, storage: HeldBytes(bytes), range: 0..<bytes.count)
  }
}
