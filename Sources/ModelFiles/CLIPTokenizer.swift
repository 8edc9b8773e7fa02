/// Turns a prompt into the numbers that CLIPTextModel reads, exactly as transformers' CLIPTokenizer does.
///
/// Reference: Radford et al. 2021; byte-level pairs as in GPT-2, ends of words marked, everything in lower case.
public final class CLIPTokenizer: Sendable {
  /// The number of tokens of every prompt, padding included; CLIP's own is 77.
  public let length: Int
  /// What follows the last token up to `length`.
  public let paddingID: Int32
  /// The largest number that `encode` can return.
  public let largestID: Int32

  private let start: Int32
  private let end: Int32
  private let special: [TokenizerFiles.SpecialToken]
  private let pairs: BytePairEncoding

  init(_ files: TokenizerFiles) throws(ModelError) {
    length = files.length
    paddingID = files.padding
    largestID = max(files.vocabulary.values.max() ?? 0, files.special.map(\.id).max() ?? 0)
    start = files.start
    end = files.end
    special = files.special
    pairs = try BytePairEncoding(
      vocabulary: files.vocabulary, pairs: files.pairs, unknown: files.unknown,
      place: files.pairsPlace)
  }

  /// The start token, the prompt's as far as they fit, the end token, and padding: `length` numbers.
  /// - Complexity: O(n log n) in the prompt's bytes at worst, when it is one long word.
  public func encode(_ prompt: String) -> [Int32] {
    var tokens = [start]
    let room = length - 1
    forEachToken(of: prompt) { token in
      tokens.append(token)
      return tokens.count < room
    }
    tokens.append(end)
    tokens += Array(repeating: paddingID, count: length - tokens.count)
    return tokens
  }

  /// - Parameter body: false ends the walk.
  private func forEachToken(of prompt: String, _ body: (Int32) -> Bool) {
    for piece in Self.cut(prompt[...], at: special.filter { !$0.isNormalized }) {
      switch piece {
      case .token(let token): if !body(token) { return }
      case .text(let text):
        let normalized = PromptText.normalize(text)
        for piece in Self.cut(normalized[...], at: special.filter(\.isNormalized)) {
          switch piece {
          case .token(let token): if !body(token) { return }
          case .text(let text):
            var goesOn = true
            PromptText.forEachWord(String(text)) { word in
              goesOn = pairs.encode(word).allSatisfy(body)
              return goesOn
            }
            if !goesOn { return }
          }
        }
      }
    }
  }

  private enum Piece {
    case text(Substring)
    case token(Int32)
  }

  /// Cuts a text at special tokens: the leftmost first, of those that start together the longest.
  private static func cut(
    _ text: Substring, at tokens: [TokenizerFiles.SpecialToken]
  ) -> [Piece] {
    let patterns = tokens.map { (bytes: Array($0.text.utf8), id: $0.id) }
    let bytes = text.utf8
    var pieces: [Piece] = []
    var start = bytes.startIndex
    var position = start
    while position < bytes.endIndex {
      var match: (bytes: [UInt8], id: Int32)?
      for pattern in patterns
      where pattern.bytes[0] == bytes[position] && pattern.bytes.count > match?.bytes.count ?? 0
        && bytes[position...].starts(with: pattern.bytes)
      {
        match = pattern
      }
      guard let match else {
        bytes.formIndex(after: &position)
        continue
      }
      if start < position { pieces.append(.text(text[start..<position])) }
      pieces.append(.token(match.id))
      bytes.formIndex(&position, offsetBy: match.bytes.count)
      start = position
    }
    if start < bytes.endIndex { pieces.append(.text(text[start...])) }
    return pieces
  }
}
