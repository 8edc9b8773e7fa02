/// What a T5 tokenizer's folder says, checked: a vocabulary, and the tokens that are looked for in
/// the text. `tokenizer.json` comes before `spiece.model`.
struct T5TokenizerFiles {
  let vocabulary: T5Vocabulary
  /// Those that the vocabulary lacks are in the order in which they are numbered.
  let added: [AddedToken]
  /// The token that ends every prompt.
  let end: String
  let padding: String

  /// Every place of a prompt may be the start of every piece: their lengths bound its time.
  private static let longestText = 1024

  init(_ folder: any FileTree) throws(ModelError) {
    let config = try TokenLists.config(in: folder)
    let extraCount = try config.int("extra_ids", default: 100, in: 0...65536)
    let extras = (0..<extraCount).map { "<extra_id_\($0)>" }

    let vocabulary: T5Vocabulary
    if let whole = try folder.file("tokenizer.json") {
      vocabulary = try T5Vocabulary(whole: whole)
    } else {
      let model = try folder.required("spiece.model", "the model's tokenizer has to be complete")
      vocabulary = try T5Vocabulary(model, extras: extras)
    }
    let lists = try TokenLists(
      config, in: folder, usual: ["eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"],
      whole: vocabulary.listed
    ) { map throws(ModelError) in try Self.implied(by: vocabulary, map, extras: extras) }
    for text in vocabulary.pieces.map(\.text) + lists.added.map(\.text) {
      try Self.requireShort(text, in: folder)
    }
    self.vocabulary = vocabulary
    added = lists.added
    end = try lists.text(of: "eos_token")
    padding = try lists.text(of: "pad_token")
  }

  /// The special tokens without a role where the configuration has no list of them.
  private static func implied(
    by vocabulary: T5Vocabulary, _ map: ConfigReader, extras: [String]
  ) throws(ModelError) -> [ListedToken] {
    var some = vocabulary.special ?? []
    if vocabulary.special == nil {
      some = try TokenLists.tokens("additional_special_tokens", in: map) ?? []
    }
    let hasExtras = some.contains { $0.text.contains("<extra_id_") }
    return hasExtras ? some : some + extras.map { ListedToken(text: $0) }
  }

  /// - Throws: `ModelError` where a piece or a token, as it is looked for, is longer than any.
  static func requireShort(_ text: String, in folder: any FileTree) throws(ModelError) {
    guard text.utf8.count <= longestText else {
      throw ModelError(
        "\(folder.name): token \(text.prefix(32).description.quoted)...: expected "
          + "\(longestText) bytes at most, found \(text.utf8.count)")
    }
  }
}
