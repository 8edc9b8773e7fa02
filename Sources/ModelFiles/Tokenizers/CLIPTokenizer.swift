/// Turns a prompt into the numbers that CLIPTextModel reads, exactly as transformers' CLIPTokenizer
/// does.
///
/// Reference: Radford et al. 2021; byte-level pairs as in GPT-2, ends of words marked, everything
/// in lower case.
public final class CLIPTokenizer: Sendable {
  /// The number of tokens of every prompt, padding included; CLIP's own is 77.
  public let length: Int
  /// What follows the last token up to `length`.
  public let paddingID: Int32
  /// The largest number that `encode` can return.
  public let largestID: Int32

  private let start: Int32
  private let end: Int32
  /// The tokens that are looked for in the prompt as it stands.
  private let plain: AddedTokens
  /// Those that are looked for in what is normalized of it.
  private let normalized: AddedTokens
  private let pairs: BytePairEncoding

  /// - Parameter length: the number of tokens of every prompt, from 3: the text encoder's. What a
  ///   tokenizer's own files say of it is often another model's, or no limit at all.
  init(_ files: CLIPTokenizerFiles, length: Int) throws(ModelError) {
    self.length = length
    paddingID = files.padding
    largestID = max(files.vocabulary.values.max() ?? 0, files.added.map(\.id).max() ?? 0)
    start = files.start
    end = files.end
    var plain = AddedTokens()
    var normalized = AddedTokens()
    // Of those that look alike when they are normalized the first counts, and an insertion takes
    // the place of an earlier one.
    for (token, id) in files.added.reversed() {
      if token.isNormalized {
        normalized.insert(token, as: PromptText.normalize(token.text[...]), id: id)
      } else {
        plain.insert(token, as: token.text, id: id)
      }
    }
    self.plain = plain
    self.normalized = normalized
    pairs = try BytePairEncoding(
      vocabulary: files.vocabulary, pairs: files.pairs, unknown: files.unknown,
      place: files.pairsPlace)
  }

  /// The start token, the prompt's as far as they fit, the end token, and padding: `length`
  /// numbers.
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
    for piece in plain.cut(prompt) {
      switch piece {
      case .token(let token): if !body(token) { return }
      case .text(let text):
        for piece in normalized.cut(PromptText.normalize(text)) {
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
}
