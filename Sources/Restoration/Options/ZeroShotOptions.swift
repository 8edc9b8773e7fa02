/// What only zero-shot deraining can be told, beside the options that both methods have.
///
/// Reference: Varanka et al. 2026 (arXiv 2511.18537); the numbers are its code's, segments are
/// ours.
public struct ZeroShotOptions: Sendable, Equatable {
  /// What rain is called, which guidance leads away from.
  public static let negativePrompt =
    "heavy rain, light rain, drizzle, sprinkle, shower, raindrops, rainstorm, streak"

  /// Of the steps, how many of the noisiest are left out; 0 to one less than there are. More keeps
  /// closer to the input.
  public var skip = 40
  /// Blocks of the transformer in which the video's queries of the negative branch read the empty
  /// prompt's keys and values.
  public var switchBlocks = BlockList("0-3,15-29")!
  /// Frames that are restored together, 1...4096.
  public var segment = 49
  /// Frames that a segment shares with the next, less than ``segment``; the two are cross-faded
  /// there.
  public var overlap = 8
}

/// Numbers of blocks, as `0-3,15-29`.
public struct BlockList: Sendable, Equatable, CustomStringConvertible {
  public let description: String
  let numbers: Set<Int>

  /// - Parameter text: numbers and ranges from 0 to 9999 with commas between them; empty for none.
  /// - Returns: nil for anything else.
  public init?(_ text: String) {
    var numbers = Set<Int>()
    for part in text.split(separator: ",", omittingEmptySubsequences: true) {
      let ends = part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
      guard let first = Self.number(ends[0]), let last = Self.number(ends[ends.count - 1]),
        first <= last
      else { return nil }
      numbers.formUnion(first...last)
    }
    self.numbers = numbers
    description = text
  }

  private static func number(_ text: Substring) -> Int? {
    guard (1...4).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }) else {
      return nil
    }
    return Int(text)
  }
}
