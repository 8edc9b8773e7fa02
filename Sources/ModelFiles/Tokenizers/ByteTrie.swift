/// Texts with a number each, found at the start of other texts.
struct ByteTrie: Sendable {
  /// The node that a byte leads to, by the node and the byte.
  private var edges: [UInt64: Int32] = [:]
  /// The number of the text that ends at a node; negative for none.
  private var values: [Int32] = [-1]

  /// Adds a text; one that is there gets the new number.
  /// - Parameter value: not negative.
  mutating func insert(_ text: String, _ value: Int32) {
    var node: Int32 = 0
    for byte in text.utf8 {
      let key = Self.key(node, byte)
      if let next = edges[key] {
        node = next
      } else {
        node = Int32(values.count)
        edges[key] = node
        values.append(-1)
      }
    }
    values[Int(node)] = value
  }

  /// The number of a text.
  subscript(text: some Sequence<UInt8>) -> Int32? {
    var node: Int32 = 0
    for byte in text {
      guard let next = edges[Self.key(node, byte)] else { return nil }
      node = next
    }
    return values[Int(node)] < 0 ? nil : values[Int(node)]
  }

  /// Calls `body` with the end and the number of every text that stands at `start`, the shortest
  /// first.
  /// - Complexity: O(the bytes of the longest text).
  func forEachMatch(
    in bytes: [UInt8], from start: Int, _ body: (_ end: Int, _ value: Int32) -> Void
  ) {
    var node: Int32 = 0
    for position in start..<bytes.count {
      guard let next = edges[Self.key(node, bytes[position])] else { return }
      node = next
      if values[Int(node)] >= 0 { body(position + 1, values[Int(node)]) }
    }
  }

  private static func key(_ node: Int32, _ byte: UInt8) -> UInt64 {
    UInt64(node) << 8 | UInt64(byte)
  }
}
