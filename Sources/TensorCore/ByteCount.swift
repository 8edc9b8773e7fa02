/// An amount of memory, as people write it: `512M`, `1.5G`. K, M and G are 1024, 1024² and 1024³
/// bytes.
public struct ByteCount: Sendable, Equatable, CustomStringConvertible {
  private static let units: [(letter: Character, shift: Int)] = [("G", 30), ("M", 20), ("K", 10)]

  public let bytes: Int

  public init(_ bytes: Int) { self.bytes = bytes }

  /// Reads a number with or without one of the units, which may be followed by `B` or `iB`, in
  /// either case.
  /// - Returns: nil for anything else, and for less than a byte.
  public init?(parsing text: String) {
    var number = Substring(text)
    for ending in ["iB", "ib", "IB", "B", "b"] where number.hasSuffix(ending) {
      number = number.dropLast(ending.count)
      break
    }
    let unit = number.last.flatMap { last in
      Self.units.first { $0.letter == Character(last.uppercased()) }
    }
    if unit != nil { number = number.dropLast() }
    // Double reads more than people write: infinities, hexadecimals, exponents.
    guard !number.isEmpty, number.allSatisfy({ $0.isASCII && $0.isNumber || $0 == "." }),
      let value = Double(number)
    else { return nil }
    let bytes = value * Double(1 << (unit?.shift ?? 0))
    guard bytes >= 1, bytes < 0x1p62 else { return nil }
    self.init(Int(bytes))
  }

  /// `1.5 GiB`, `20.0 MiB`, `12 bytes`.
  public var description: String {
    for (letter, shift) in Self.units where bytes >= 1 << shift {
      let tenths = Int((Double(bytes) / Double(1 << shift) * 10).rounded())
      return "\(tenths / 10).\(tenths % 10) \(letter)iB"
    }
    return "\(bytes) \(bytes == 1 ? "byte" : "bytes")"
  }
}
