import Foundation
import TensorCore

/// Safetensors with F32 tensors only, read and written the plain way: the tests' own, so that they
/// need not trust the reader that they test.
public enum SafetensorsData {
  private struct Entry: Codable {
    var dtype: String
    var shape: [Int]
    var dataOffsets: [Int]

    enum CodingKeys: String, CodingKey {
      case dtype, shape
      case dataOffsets = "data_offsets"
    }
  }

  public struct Malformed: Error, CustomStringConvertible {
    public let description: String
  }

  public static func read(_ data: Data) throws -> [String: Tensor] {
    let header = data.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    let json = data.dropFirst(8).prefix(header)
    let body = data.dropFirst(8 + header)
    var tensors: [String: Tensor] = [:]
    for (name, entry) in try JSONDecoder().decode([String: Entry].self, from: json) {
      guard entry.dtype == "F32" else { throw Malformed(description: "\(name) is \(entry.dtype)") }
      let bytes = body.dropFirst(entry.dataOffsets[0])
        .prefix(entry.dataOffsets[1] - entry.dataOffsets[0])
      tensors[name] = Tensor(Shape(entry.shape), floats(bytes))
    }
    return tensors
  }

  public static func write(_ tensors: [String: Tensor]) throws -> Data {
    var entries: [String: Entry] = [:]
    var body = Data()
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      let start = body.count
      tensor.elements.withUnsafeBytes { body.append(contentsOf: $0) }
      entries[name] = Entry(
        dtype: "F32", shape: tensor.shape.extents, dataOffsets: [start, body.count])
    }
    var header = try JSONEncoder().encode(entries)
    header.append(contentsOf: repeatElement(UInt8(ascii: " "), count: (8 - header.count % 8) % 8))
    var file = Data()
    withUnsafeBytes(of: UInt64(header.count).littleEndian) { file.append(contentsOf: $0) }
    return file + header + body
  }

  private static func floats(_ bytes: Data) -> [Float] {
    var result = [Float](repeating: 0, count: bytes.count / 4)
    result.withUnsafeMutableBytes { _ = bytes.copyBytes(to: $0) }
    return result
  }
}
