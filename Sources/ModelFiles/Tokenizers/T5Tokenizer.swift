/// Turns a prompt into the numbers that T5EncoderModel reads, exactly as transformers' T5Tokenizer
/// does.
///
/// Reference: Raffel et al. 2020; a unigram model of SentencePiece (Kudo 2018) over words that each
/// start with "▁".
public final class T5Tokenizer: Sendable {
  /// The number of tokens of every prompt, padding included.
  public let length: Int
  /// What follows the last token up to `length`.
  public let paddingID: Int32
  /// The largest number that `encode` can return.
  public let largestID: Int32

  private let end: Int32
  private let model: UnigramModel
  private let charsmap: PrecompiledCharsmap?
  /// The tokens that are looked for in the prompt as it stands.
  private let plain: AddedTokens
  /// Those that are looked for in what is normalized of it.
  private let normalized: AddedTokens

  /// - Parameters:
  ///   - folder: holds `tokenizer.json` or `spiece.model`, and what transformers writes beside
  ///     them.
  ///   - length: the number of tokens of every prompt, from 1.
  /// - Throws: `ModelError` where a file is missing, damaged, or asks for what is not done here.
  init(_ folder: any FileTree, length: Int) throws(ModelError) {
    precondition(length > 0)
    let files = try T5TokenizerFiles(folder)
    let model = UnigramModel(files.vocabulary.pieces, unknown: T5Vocabulary.unknown)
    let charsmap = files.vocabulary.charsmap
    var plain = AddedTokens()
    var normalized = AddedTokens()
    var ids: [String: Int32] = [:]
    var count = Int32(model.count)
    for token in files.added {
      let id = model[token.text] ?? count
      if id == count { count += 1 }
      ids[token.text] = id
      if token.isNormalized {
        let text = charsmap?.normalize(token.text) ?? token.text
        try T5TokenizerFiles.requireShort(text, in: folder)
        normalized.insert(token, as: text, id: id)
      } else {
        plain.insert(token, as: token.text, id: id)
      }
    }
    guard let end = ids[files.end], let paddingID = ids[files.padding] else {
      throw ModelError(
        "\(folder.place(ModelPart.tokenizer.configFile)): eos_token, pad_token: "
          + "expected tokens with a text")
    }
    self.length = length
    self.paddingID = paddingID
    self.end = end
    self.model = model
    self.charsmap = charsmap
    self.plain = plain
    self.normalized = normalized
    largestID = count - 1
  }

  /// The prompt's tokens as far as they fit, the end token, and padding: `length` numbers.
  /// - Complexity: O(n m) in the prompt's bytes and those of the longest piece or token.
  public func encode(_ prompt: String) -> [Int32] {
    var tokens: [Int32] = []
    let room = length - 1
    forEachRun(of: prompt) { run in
      tokens += run
      return tokens.count < room
    }
    if tokens.count > room { tokens.removeLast(tokens.count - room) }
    tokens.append(end)
    tokens += Array(repeating: paddingID, count: length - tokens.count)
    return tokens
  }

  /// - Parameter body: called with the tokens of each word, and with each token that stands in the
  ///   text; false ends the walk.
  private func forEachRun(of prompt: String, _ body: ([Int32]) -> Bool) {
    for piece in plain.cut(prompt) {
      switch piece {
      case .token(let token): if !body([token]) { return }
      case .text(let text):
        let text = String(text)
        for piece in normalized.cut(charsmap?.normalize(text) ?? text) {
          switch piece {
          case .token(let token): if !body([token]) { return }
          case .text(let text):
            for word in Self.words(of: text) where !body(model.encode(word)) { return }
          }
        }
      }
    }
  }

  /// What starts a word.
  private static let mark: Unicode.Scalar = "\u{2581}"

  /// Cuts a text at white space, which goes, and before every mark; each word starts with one.
  private static func words(of text: Substring) -> [String] {
    var words: [String] = []
    for part in text.unicodeScalars.split(whereSeparator: \.properties.isWhitespace) {
      var word = String.UnicodeScalarView([mark])
      for (index, scalar) in part.enumerated() {
        if scalar != mark {
          word.append(scalar)
        } else if index > 0 {
          words.append(String(word))
          word = String.UnicodeScalarView([mark])
        }
      }
      words.append(String(word))
    }
    return words
  }
}
