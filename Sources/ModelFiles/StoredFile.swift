import StrictJSON
import TensorCore

/// A file of a model, ready to be read.
struct StoredFile: Sendable {
  /// What errors call it.
  let name: String
  let storage: any WeightStorage
  /// Its bytes in `storage`.
  let range: Range<Int>

  func json() throws(ModelError) -> JSON {
    try withBytes { bytes throws(ModelError) in
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

  func bytes() throws(ModelError) -> [UInt8] { try withBytes { [UInt8]($0) } }

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
