/// Writes safetensors files, well-formed or not.
enum SafetensorsBuilder {
  struct Entry {
    var name: String
    var dtype = "F32"
    var shape: [Int]
    var bytes: [UInt8]
  }

  static func f32(_ name: String, _ shape: [Int], _ values: [Float]? = nil) -> Entry {
    let count = shape.reduce(1, *)
    let values = values ?? (0..<count).map { Float($0) * 0.5 - 1 }
    return Entry(
      name: name, shape: shape,
      bytes: values.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) })
  }

  /// A file with any header over any data.
  static func file(header: String, data: [UInt8]) -> [UInt8] {
    file(header: Array(header.utf8), data: data)
  }

  static func file(header: [UInt8], data: [UInt8]) -> [UInt8] {
    withUnsafeBytes(of: UInt64(header.count).littleEndian, Array.init) + header + data
  }

  /// - Parameter metadata: members of a JSON object.
  static func file(_ entries: [Entry], metadata: String = #""format":"pt""#) -> [UInt8] {
    var header: [String] = ["\"__metadata__\":{\(metadata)}"]
    var data: [UInt8] = []
    for entry in entries {
      header.append(
        "\"\(entry.name)\":{\"dtype\":\"\(entry.dtype)\",\"shape\":\(entry.shape),"
          + "\"data_offsets\":[\(data.count),\(data.count + entry.bytes.count)]}")
      data += entry.bytes
    }
    return file(header: "{" + header.joined(separator: ",") + "}", data: data)
  }
}
