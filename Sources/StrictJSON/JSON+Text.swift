extension JSON {
  /// The value on one line, without space; an object's keys in the order of their characters, so
  /// that equal values are equal texts.
  package var text: String {
    var bytes: [UInt8] = []
    write(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// - Precondition: numbers are finite; JSON has no others.
  func write(to bytes: inout [UInt8]) {
    switch self {
    case .null: bytes += "null".utf8
    case .bool(let value): bytes += (value ? "true" : "false").utf8
    case .integer(let value): bytes += String(value).utf8
    case .number(let value):
      precondition(value.isFinite, "JSON has no \(value)")
      bytes += "\(value)".utf8
    case .string(let value): Self.write(value, to: &bytes)
    case .array(let values):
      bytes.append(UInt8(ascii: "["))
      for (index, value) in values.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        value.write(to: &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    case .object(let members):
      var line = JSONLine()
      for (key, value) in members.sorted(by: { $0.key < $1.key }) { line.add(key, value) }
      bytes += line.closed
    }
  }

  static func write(_ string: String, to bytes: inout [UInt8]) {
    let digits = Array("0123456789abcdef".utf8)
    bytes.append(UInt8(ascii: "\""))
    for byte in string.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
      case 0x0A: bytes += "\\n".utf8
      case 0..<0x20, 0x7F:
        bytes += "\\u00".utf8
        bytes += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}

/// An object on a line of its own (JSON Lines), its members in the order in which they are given.
package struct JSONLine: Sendable {
  private var bytes = [UInt8(ascii: "{")]

  package init() {}

  /// Adds a member.
  /// - Parameter value: nil leaves the member out.
  package mutating func add(_ key: String, _ value: JSON?) {
    guard let value else { return }
    if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
    JSON.write(key, to: &bytes)
    bytes.append(UInt8(ascii: ":"))
    value.write(to: &bytes)
  }

  /// The object without a newline.
  var closed: [UInt8] { bytes + [UInt8(ascii: "}")] }

  /// The object and a newline.
  package var finished: [UInt8] { closed + [0x0A] }
}
