/// A token that is looked for in the text itself, before the text is cut into words.
struct AddedToken: Equatable, Sendable {
  let text: String
  /// Whether white space before it goes with it.
  var stripsLeft = false
  /// Whether white space behind it goes with it.
  var stripsRight = false
  /// Whether it stands for itself only between other characters than a word's.
  var isSingleWord = false
  /// Whether it is looked for after the text was normalized, and normalized as well.
  var isNormalized = false
}

/// Cuts texts at tokens, as the Rust crate `tokenizers` does: the leftmost first, of those that
/// start together the longest.
struct AddedTokens: Sendable {
  enum Piece {
    case text(Substring)
    case token(Int32)
  }

  private var texts = ByteTrie()
  private var tokens: [(token: AddedToken, id: Int32)] = []

  /// - Parameter text: what the token looks like where it is looked for; the empty text is nowhere.
  mutating func insert(_ token: AddedToken, as text: String, id: Int32) {
    guard !text.isEmpty else { return }
    texts.insert(text, Int32(tokens.count))
    tokens.append((token, id))
  }

  /// - Complexity: O(n m) in the text's bytes and those of the longest token.
  func cut(_ text: String) -> [Piece] {
    let bytes = Array(text.utf8)
    func part(_ range: Range<Int>) -> Substring {
      let start = text.utf8.index(text.startIndex, offsetBy: range.lowerBound)
      return text[start..<text.utf8.index(start, offsetBy: range.count)]
    }
    var pieces: [Piece] = []
    // What is before it is in a piece.
    var done = 0
    var position = 0
    while position < bytes.count {
      var match: (end: Int, index: Int32)?
      texts.forEachMatch(in: bytes, from: position) { match = ($0, $1) }
      guard let match else {
        position += 1
        continue
      }
      var (start, end) = (position, match.end)
      position = match.end
      let (token, id) = tokens[Int(match.index)]
      if token.isSingleWord,
        part(0..<start).unicodeScalars.last.map(Self.isOfWord) == true
          || part(end..<bytes.count).unicodeScalars.first.map(Self.isOfWord) == true
      {
        continue
      }
      if token.stripsLeft, start > done {
        let spaces = part(done..<start).unicodeScalars.reversed().prefix(while: Self.isSpace)
        start -= spaces.reduce(0) { $0 + UTF8.width($1) }
      }
      if token.stripsRight {
        end = max(end, done)
        let spaces = part(end..<bytes.count).unicodeScalars.prefix(while: Self.isSpace)
        end += spaces.reduce(0) { $0 + UTF8.width($1) }
      }
      if done < start { pieces.append(.text(part(done..<start))) }
      pieces.append(.token(id))
      done = end
    }
    if done < bytes.count { pieces.append(.text(part(done..<bytes.count))) }
    return pieces
  }

  private static func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isWhitespace }

  /// `\w` of Unicode's regular expressions (UTS 18, annex C).
  private static func isOfWord(_ scalar: Unicode.Scalar) -> Bool {
    let properties = scalar.properties
    if properties.isAlphabetic || properties.isJoinControl { return true }
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation:
      return true
    default: return false
    }
  }
}
