import StrictJSON

/// What a CLIP tokenizer's folder says, checked: a vocabulary, the pairs to merge, and the tokens
/// that are looked for in the text. `tokenizer.json` comes before `vocab.json` and `merges.txt`.
struct CLIPTokenizerFiles {
  let vocabulary: [String: Int32]
  let pairs: [(String, String)]
  /// The file of the pairs, for errors.
  let pairsPlace: String
  let start: Int32
  let end: Int32
  let unknown: Int32
  let padding: Int32
  let added: [(token: AddedToken, id: Int32)]

  init(_ folder: any FileTree) throws(ModelError) {
    let config = try TokenLists.config(in: folder)
    var listed: [Int: ListedToken] = [:]
    if let whole = try folder.file("tokenizer.json") {
      let object = try whole.object()
      guard let model = object["model"]?.object, let table = model["vocab"]?.object else {
        throw ModelError("\(whole.name): expected an object model with an object vocab")
      }
      vocabulary = try Self.vocabulary(table, place: whole.name)
      pairs = try Self.pairs(model["merges"], place: whole.name)
      pairsPlace = whole.name
      listed = try TokenLists.listed(by: object, place: whole.name)
    } else {
      let file = try folder.required("vocab.json", "the model's tokenizer has to be complete")
      let merges = try folder.required("merges.txt", "\(file.name) needs it")
      vocabulary = try Self.vocabulary(file.object(), place: file.name)
      pairs = try Self.pairs(merges)
      pairsPlace = merges.name
    }
    let lists = try TokenLists(config, in: folder, usual: Self.usual, whole: listed) {
      map throws(ModelError) in
      try TokenLists.tokens("additional_special_tokens", in: map) ?? []
    }
    // As the crate `tokenizers` numbers them.
    let size = Int32(vocabulary.count)
    var ids: [String: Int32] = [:]
    var last: Int32 = -1
    for token in lists.added {
      let id = vocabulary[token.text] ?? max(last &+ 1, size)
      ids[token.text] = id
      last = max(last, id)
    }
    added = lists.added.map { ($0, ids[$0.text]!) }
    func id(_ role: String) throws(ModelError) -> Int32 {
      let text = try lists.text(of: role)
      guard let id = ids[text] else {
        throw ModelError("\(config.file): \(role): expected a token with a text, found \"\"")
      }
      return id
    }
    start = try id("bos_token")
    end = try id("eos_token")
    padding = try id("pad_token")
    // It may lie behind the vocabulary, and then the crate fails at what no pair leads to.
    unknown = try id("unk_token")
  }

  /// The tokens with a role where no file says them.
  private static let usual = [
    "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>",
    "pad_token": "<|endoftext|>",
  ]

  private static func vocabulary(
    _ table: [String: JSON], place: String
  ) throws(ModelError) -> [String: Int32] {
    var vocabulary: [String: Int32] = [:]
    vocabulary.reserveCapacity(table.count)
    var seen = Set<Int32>()
    for (token, value) in table {
      guard let id = value.integer.flatMap(Int32.init(exactly:)), id >= 0 else {
        throw ModelError(
          "\(place): token \(token.quoted): expected a whole number from 0, found \(value.summary)")
      }
      guard seen.insert(id).inserted else {
        throw ModelError("\(place): token \(token.quoted): its number \(id) is another's, too")
      }
      vocabulary[token] = id
    }
    return vocabulary
  }

  /// `merges.txt`: a line with the version, then a pair a line.
  static func pairs(_ file: StoredFile) throws(ModelError) -> [(String, String)] {
    guard let text = String(validating: try file.bytes(), as: UTF8.self) else {
      throw ModelError("\(file.name): not UTF-8: copy the file again")
    }
    var pairs: [(String, String)] = []
    for (index, line) in text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false)
      .enumerated()
    {
      var line = Substring(line)
      if line.hasSuffix("\r") { line = line.dropLast() }
      if line.isEmpty || line.hasPrefix("#version") { continue }
      let parts = line.utf8.split(separator: 0x20, omittingEmptySubsequences: false).map {
        String(Substring($0))
      }
      guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
        throw ModelError(
          "\(file.name): line \(index + 1): expected two symbols with a space between, found "
            + String(line).quoted)
      }
      pairs.append((parts[0], parts[1]))
    }
    return pairs
  }

  /// The same in `tokenizer.json`: a list of "a b" or of ["a", "b"].
  private static func pairs(
    _ value: JSON?, place: String
  ) throws(ModelError) -> [(String, String)] {
    guard let values = value?.array else {
      throw ModelError("\(place): expected a list model.merges, found \(value?.summary ?? "none")")
    }
    var pairs: [(String, String)] = []
    for value in values {
      let parts =
        value.string?.split(separator: " ").map(String.init)
        ?? value.array?.compactMap(\.string) ?? []
      guard parts.count == 2 else {
        throw ModelError(
          "\(place): model.merges: expected pairs of symbols, found \(value.summary)")
      }
      pairs.append((parts[0], parts[1]))
    }
    return pairs
  }
}
