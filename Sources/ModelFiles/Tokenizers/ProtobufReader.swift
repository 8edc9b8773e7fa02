/// Takes a message of protocol buffers apart into its fields, in the order in which they stand.
///
/// Nothing is copied, and nothing is taken from beyond the bytes. Reference: protobuf.dev,
/// "Encoding".
struct ProtobufReader {
  struct Field {
    let number: UInt64
    let value: Value
  }

  enum Value {
    case varint(UInt64)
    case fixed64(UInt64)
    /// A string, bytes, or a message of its own.
    case bytes(ArraySlice<UInt8>)
    case fixed32(UInt32)
  }

  /// Why and where a message cannot be read.
  struct Failure: Error, CustomStringConvertible {
    let reason: String
    /// The byte, counted from the start of the file, at which reading stopped.
    let offset: Int
    var description: String { "\(reason) at byte \(offset)" }
  }

  private let bytes: ArraySlice<UInt8>
  private var position: Int

  /// - Parameter bytes: a message; its indices are what failures call the bytes.
  init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    position = bytes.startIndex
  }

  /// - Returns: the next field; nil at the end of the message.
  mutating func next() throws(Failure) -> Field? {
    guard position < bytes.endIndex else { return nil }
    let key = try varint()
    let value: Value =
      switch key & 7 {
      case 0: .varint(try varint())
      case 1: .fixed64(try fixed())
      case 2: .bytes(try take(try varint()))
      case 5: .fixed32(try fixed())
      default: throw failure("no kind of field has the number \(key & 7)")
      }
    return Field(number: key >> 3, value: value)
  }

  func failure(_ reason: String) -> Failure { Failure(reason: reason, offset: position) }

  private mutating func varint() throws(Failure) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: 0, to: 64, by: 7) {
      guard position < bytes.endIndex else { throw failure("the file ends within a number") }
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7F) << UInt64(shift)
      if byte < 0x80 { return value }
    }
    throw failure("a number has more than 10 bytes")
  }

  private mutating func take(_ count: UInt64) throws(Failure) -> ArraySlice<UInt8> {
    guard count <= UInt64(bytes.endIndex - position) else {
      throw failure("a field of \(count) bytes goes beyond what holds it")
    }
    defer { position += Int(count) }
    return bytes[position..<position + Int(count)]
  }

  private mutating func fixed<T: FixedWidthInteger & UnsignedInteger>() throws(Failure) -> T {
    try take(UInt64(MemoryLayout<T>.size)).reversed().reduce(0) { $0 << 8 | T($1) }
  }
}
