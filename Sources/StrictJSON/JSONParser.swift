/// Why and where a JSON text cannot be read.
package struct JSONError: Error, CustomStringConvertible {
  package let reason: String
  /// The byte, counted from 0, at which reading stopped.
  package let offset: Int
  package var description: String { "\(reason) at byte \(offset)" }
}

/// A strict JSON reader that can be given hostile text: depth and number of values are bounded, and
/// its time is linear.
///
/// Foundation's readers keep one of two equal keys in silence, and a checkpoint with a tensor twice
/// must be refused.
package struct JSONParser {
  /// How much of a text is taken before it is refused.
  package struct Limits: Sendable {
    /// Arrays and objects inside each other.
    package var depth: Int
    /// Numbers, strings, arrays, ... in all.
    package var values: Int

    package init(depth: Int, values: Int) {
      self.depth = depth
      self.values = values
    }

    /// Real files stay far below: a CLIP vocabulary has 50,000 values, a T5's 65,000, a checkpoint
    /// of 100,000 tensors 1,100,000. An object's members take up to some 230 bytes each.
    package static let file = Limits(depth: 64, values: 1_500_000)
  }

  /// Which numbers are taken.
  package enum Numbers: Sendable {
    /// RFC 8259's.
    case finite
    /// `Infinity`, `-Infinity` and `NaN`, too: Python writes them, and so diffusers into its
    /// schedulers' configurations.
    case any
  }

  private let bytes: UnsafeRawBufferPointer
  private let limits: Limits
  private let numbers: Numbers
  private var position = 0
  private var valueCount = 0

  package static func parse(
    _ bytes: UnsafeRawBufferPointer, limits: Limits = .file, numbers: Numbers = .finite
  ) throws(JSONError) -> JSON {
    var parser = JSONParser(bytes: bytes, limits: limits, numbers: numbers)
    let value = try parser.value(depth: 0)
    parser.skipSpace()
    guard parser.position == bytes.count else { throw parser.error("text after the value") }
    return value
  }

  package static func parse(
    _ bytes: [UInt8], limits: Limits = .file, numbers: Numbers = .finite
  ) throws(JSONError) -> JSON {
    let result: Result<JSON, JSONError> = bytes.withUnsafeBytes { buffer in
      do throws(JSONError) {
        return .success(try parse(buffer, limits: limits, numbers: numbers))
      } catch { return .failure(error) }
    }
    return try result.get()
  }

  private init(bytes: UnsafeRawBufferPointer, limits: Limits, numbers: Numbers) {
    self.bytes = bytes
    self.limits = limits
    self.numbers = numbers
  }

  private func error(_ reason: String) -> JSONError { JSONError(reason: reason, offset: position) }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      position += 1
    }
  }

  private mutating func take(_ byte: Character) -> Bool {
    guard next == byte.asciiValue else { return false }
    position += 1
    return true
  }

  private mutating func value(depth: Int) throws(JSONError) -> JSON {
    guard depth < limits.depth else { throw error("nested too deeply") }
    valueCount += 1
    guard valueCount <= limits.values else { throw error("too many values") }
    skipSpace()
    switch next {
    case UInt8(ascii: "{"): return .object(try object(depth: depth))
    case UInt8(ascii: "["): return .array(try array(depth: depth))
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    case UInt8(ascii: "I") where numbers == .any:
      return try literal("Infinity", .number(.infinity))
    case UInt8(ascii: "N") where numbers == .any: return try literal("NaN", .number(.nan))
    case nil: throw error("the text ends where a value should be")
    default: return try number()
    }
  }

  private mutating func literal(_ text: StaticString, _ value: JSON) throws(JSONError) -> JSON {
    for index in 0..<text.utf8CodeUnitCount {
      guard next == text.utf8Start[index] else { throw error("not a JSON value") }
      position += 1
    }
    return value
  }

  private mutating func object(depth: Int) throws(JSONError) -> [String: JSON] {
    position += 1
    var members: [String: JSON] = [:]
    skipSpace()
    if take("}") { return members }
    while true {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw error("a key in quotes is expected") }
      let key = try string()
      skipSpace()
      guard take(":") else { throw error("a colon is expected") }
      guard members.updateValue(try value(depth: depth + 1), forKey: key) == nil else {
        throw error("the key \(key.quoted) stands twice, the second time ending")
      }
      skipSpace()
      if take("}") { return members }
      guard take(",") else { throw error("a comma or } is expected") }
    }
  }

  private mutating func array(depth: Int) throws(JSONError) -> [JSON] {
    position += 1
    var elements: [JSON] = []
    skipSpace()
    if take("]") { return elements }
    while true {
      elements.append(try value(depth: depth + 1))
      skipSpace()
      if take("]") { return elements }
      guard take(",") else { throw error("a comma or ] is expected") }
    }
  }

  private mutating func number() throws(JSONError) -> JSON {
    let start = position
    var whole = true
    if take("-"), numbers == .any, next == UInt8(ascii: "I") {
      return try literal("Infinity", .number(-.infinity))
    }
    let leadingZero = next == UInt8(ascii: "0")
    let digits = takeDigits()
    guard digits > 0, !(leadingZero && digits > 1) else { throw error("not a JSON value") }
    if take(".") {
      whole = false
      guard takeDigits() > 0 else { throw error("a digit is expected") }
    }
    if take("e") || take("E") {
      whole = false
      if !take("-") { _ = take("+") }
      guard takeDigits() > 0 else { throw error("a digit is expected") }
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if whole, let value = Int(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite else {
      throw error("the number \(text.quoted) is too large")
    }
    return .number(value)
  }

  private mutating func takeDigits() -> Int {
    let start = position
    while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
    return position - start
  }

  private mutating func string() throws(JSONError) -> String {
    position += 1
    let start = position
    while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 {
      position += 1
    }
    if next == UInt8(ascii: "\"") {  // nothing escaped: the usual case, without a copy
      guard let text = String(validating: bytes[start..<position], as: UTF8.self) else {
        throw error("a string that is not UTF-8 ends")
      }
      position += 1
      return text
    }
    var text = Array(bytes[start..<position])
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: text, as: UTF8.self) else {
          throw error("a string that is not UTF-8 ends")
        }
        return text
      case UInt8(ascii: "\\"): try escape(into: &text)
      case 0..<0x20: throw error("a control character in a string")
      default: text.append(byte)
      }
    }
    throw error("the text ends within a string")
  }

  private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
    guard let byte = next else { throw error("the text ends within a string") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var code = UInt32(try hexadecimal())
      if (0xD800..<0xDC00).contains(code) {
        guard take("\\"), take("u") else { throw error("half a surrogate pair") }
        let low = UInt32(try hexadecimal())
        guard (0xDC00..<0xE000).contains(low) else { throw error("half a surrogate pair") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw error("half a surrogate pair") }
      text.append(contentsOf: Array(String(Character(scalar)).utf8))
    default: throw error("an unknown escape in a string")
    }
  }

  private mutating func hexadecimal() throws(JSONError) -> UInt16 {
    var code: UInt16 = 0
    for _ in 0..<4 {
      guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw error("four hexadecimal digits are expected")
      }
      code = code << 4 | UInt16(digit)
      position += 1
    }
    return code
  }
}
