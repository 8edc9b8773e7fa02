/// The extents of a tensor, outermost first. All are 1 or more.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
  public let extents: [Int]

  public init(_ extents: [Int]) { self.extents = extents }
  public init(arrayLiteral elements: Int...) { extents = elements }

  public var rank: Int { extents.count }

  /// The number of elements. A shape with no extents is a scalar: 1.
  public var count: Int { extents.reduce(1, *) }

  public subscript(axis: Int) -> Int { extents[axis] }

  /// The innermost extent: the channels of an image [H, W, C] or of a sequence [T, C].
  public var channels: Int { extents.last ?? 1 }

  /// All but the innermost extent multiplied: an image's pixels, a sequence's tokens.
  public var rows: Int { extents.dropLast().reduce(1, *) }

  /// For example `64x112x320`.
  public var description: String {
    extents.isEmpty ? "scalar" : extents.map(String.init).joined(separator: "x")
  }
}
