// Foundation's normalization would bring 34 MB of ICU's tables into the program.
@_spi(_Unicode) import Swift

/// How CLIP prepares a prompt before it looks for tokens.
enum PromptText {
  /// Unicode NFC, then lower case, each character by itself (a final sigma is not special).
  static func normalize(_ text: Substring) -> String {
    if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.lowercased() }
    var lowered = ""
    lowered.reserveCapacity(text.utf8.count)
    for scalar in String(text)._nfc {
      lowered.unicodeScalars.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars)
    }
    return lowered
  }

  private enum Kind { case letter, number, space, other }

  private static func kind(_ scalar: Unicode.Scalar) -> Kind {
    if scalar.properties.isWhitespace { return .space }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      return .letter
    case .decimalNumber, .letterNumber, .otherNumber: return .number
    default: return .other
    }
  }

  /// What the expression would match first, whatever follows.
  private static let contractions = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].map {
    Array($0.unicodeScalars)
  }

  /// CLIP's expression keeps these whole; the byte-level one that follows cuts them in three.
  private static let markers = ["startoftext", "endoftext"].map {
    (whole: Array("<|\($0)|>".unicodeScalars), pieces: ["<|", $0, "|>"])
  }

  /// Cuts a normalized text into words: contractions, runs of letters, single numbers, runs of
  /// anything else but space.
  ///
  ///     <\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
  ///
  /// - Parameter body: called for each word, in order; false ends the walk.
  static func forEachWord(_ text: String, _ body: (String) -> Bool) {
    let scalars = Array(text.unicodeScalars)
    var position = 0
    func starts(_ pattern: [Unicode.Scalar]) -> Bool { scalars[position...].starts(with: pattern) }
    func string(_ range: Range<Int>) -> String {
      var word = ""
      word.unicodeScalars.append(contentsOf: scalars[range])
      return word
    }
    func run(of kind: Kind) -> String {
      let start = position
      while position < scalars.count, Self.kind(scalars[position]) == kind { position += 1 }
      return string(start..<position)
    }
    while position < scalars.count {
      switch kind(scalars[position]) {
      case .space: position += 1
      case .letter: if !body(run(of: .letter)) { return }
      case .number:
        position += 1
        if !body(string(position - 1..<position)) { return }
      case .other:
        if let marker = markers.first(where: { starts($0.whole) }) {
          position += marker.whole.count
          for piece in marker.pieces where !body(piece) { return }
        } else if let contraction = contractions.first(where: starts) {
          position += contraction.count
          if !body(string(position - contraction.count..<position)) { return }
        } else if !body(run(of: .other)) {
          return
        }
      }
    }
  }
}
