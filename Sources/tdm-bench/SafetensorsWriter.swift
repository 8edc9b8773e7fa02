import Foundation
import TensorCore

/// Writes float32 tensors as a safetensors file.
func writeSafetensors(_ tensors: [String: Tensor], to path: String) throws {
  var header: [String: Any] = [:]
  var offset = 0
  let ordered = tensors.sorted { $0.key < $1.key }
  for (name, tensor) in ordered {
    let end = offset + 4 * tensor.shape.count
    header[name] = ["dtype": "F32", "shape": tensor.shape.extents, "data_offsets": [offset, end]]
    offset = end
  }
  var text = try JSONSerialization.data(withJSONObject: header, options: [.sortedKeys])
  text.append(contentsOf: repeatElement(UInt8(ascii: " "), count: (8 - text.count % 8) % 8))
  var file = Data(capacity: 8 + text.count + offset)
  withUnsafeBytes(of: UInt64(text.count).littleEndian) { file.append(contentsOf: $0) }
  file.append(text)
  for (_, tensor) in ordered { tensor.elements.withUnsafeBytes { file.append(contentsOf: $0) } }
  try file.write(to: URL(filePath: path))
}
