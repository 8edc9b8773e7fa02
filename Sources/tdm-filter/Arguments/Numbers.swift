import TensorCore

/// Reads the value of an option that wants a whole number.
func wholeNumber<Number: FixedWidthInteger>(_ text: String) throws -> Number {
  if let number = Number(text) { return number }
  let isTooLarge = !text.isEmpty && text.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
  throw WrongValue(
    description: isTooLarge
      ? "expected at most \(Number.max)"
      : "expected a whole number\(Number.isSigned ? "" : ", 0 or more")")
}

/// Reads the value of an option that wants a number.
func number(_ text: String) throws -> Double {
  guard let number = Double(text) else {
    throw WrongValue(description: "expected a number, as 0.5")
  }
  return number
}

/// Reads the value of an option that wants a size in bytes.
func byteCount(_ text: String) throws -> ByteCount {
  guard let size = ByteCount(parsing: text) else {
    throw WrongValue(description: "expected a size in bytes, K, M or G, as 800M or 6G")
  }
  return size
}

/// What was expected in place of a value that cannot be read. Which option, and the value, are said
/// before it.
struct WrongValue: Error, CustomStringConvertible {
  let description: String
}
