import Foundation
import TensorCore

extension Fixture {
  /// Calls `body` with a copy of the model's folder, to be changed or broken, which is removed
  /// afterwards.
  public func withCopy<R>(_ body: (URL) throws -> R) throws -> R {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "tdm-copy-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    try writeModel(to: folder)
    return try body(folder)
  }
}

extension SafetensorsData {
  /// Changes the tensors of a file.
  public static func rewrite(
    _ file: URL, _ change: (inout [String: Tensor]) throws -> Void
  ) throws {
    var tensors = try read(Data(contentsOf: file))
    try change(&tensors)
    try write(tensors).write(to: file)
  }
}
