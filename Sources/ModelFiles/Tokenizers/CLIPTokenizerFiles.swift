import StrictJSON

/// What a tokenizer's folder says, checked: a vocabulary, the pairs to merge, and the tokens with a
/// meaning of their own.
struct CLIPTokenizerFiles {
  /// A token that is looked for in the prompt's text as it stands.
  struct SpecialToken: Equatable, Sendable {
    /// Normalized, where it is looked for in normalized text.
    let text: String
    let id: Int32
    /// Whether it is looked for after the text was normalized, so that its case does not matter.
    let isNormalized: Bool
  }

  let vocabulary: [String: Int32]
  let pairs: [(String, String)]
  /// The file of the pairs, for errors.
  let pairsPlace: String
  let start: Int32
  let end: Int32
  let unknown: Int32
  let padding: Int32
  let special: [SpecialToken]

  init(_ folder: any FileTree) throws(ModelError) {
    var declared: [String: Declaration] = [:]
    if let vocabulary = try folder.file("vocab.json") {
      let advice = "\(vocabulary.name) needs it"
      let merges = try folder.required("merges.txt", advice)
      self.vocabulary = try Self.vocabulary(vocabulary.object(), place: vocabulary.name)
      pairs = try Self.pairs(merges)
      pairsPlace = merges.name
    } else if let whole = try folder.file("tokenizer.json") {
      let object = try whole.object()
      guard let model = object["model"]?.object, let table = model["vocab"]?.object else {
        throw ModelError("\(whole.name): expected an object model with an object vocab")
      }
      vocabulary = try Self.vocabulary(table, place: whole.name)
      pairs = try Self.pairs(model["merges"], place: whole.name)
      pairsPlace = whole.name
      for token in object["added_tokens"]?.array ?? [] {
        Self.declare(token, id: token.object?["id"]?.integer, in: &declared)
      }
    } else {
      throw ModelError(
        "\(folder.place("vocab.json")): missing: the model's tokenizer has to be complete")
    }

    let configFile = try folder.file(ModelPart.tokenizer.configFile)
    let config = try configFile?.object() ?? [:]
    if let table = config["added_tokens_decoder"]?.object {
      for (id, token) in table { Self.declare(token, id: Int(id), in: &declared) }
    } else if let table = try folder.file("added_tokens.json")?.object() {
      for (text, id) in table where declared[text] == nil {
        declared[text] = Declaration(id: Self.id(id.integer), isNormalized: true)
      }
    }
    // The older of the two places for special tokens wins, where the newer has no table of its own.
    let map =
      config["added_tokens_decoder"] == nil
      ? try folder.file("special_tokens_map.json")?.object() ?? [:] : [:]
    let place = configFile?.name ?? folder.place(ModelPart.tokenizer.configFile)
    var ids: [String: Int32] = [:]
    var flags: [String: Bool] = [:]
    for (role, usual) in Self.roles {
      let value = map[role] ?? config[role] ?? .string(usual)
      let text = value.string ?? value.object?["content"]?.string ?? usual
      // Words that were added to a model have numbers that its vocabulary does not list.
      guard let id = vocabulary[text] ?? declared[text]?.id else {
        throw ModelError("\(place): \(role) \(text.quoted): expected a token of the vocabulary")
      }
      ids[role] = id
      flags[text] = value.object?["normalized"] == .bool(true)
    }
    flags.merge(declared.mapValues(\.isNormalized)) { $1 }
    var special: [SpecialToken] = []
    for (text, isNormalized) in flags.sorted(by: { $0.key < $1.key }) where !text.isEmpty {
      guard let id = vocabulary[text] ?? declared[text]?.id else {
        throw ModelError("\(place): token \(text.quoted): expected a token of the vocabulary")
      }
      let pattern = isNormalized ? PromptText.normalize(text[...]) : text
      guard !pattern.isEmpty else { continue }
      special.append(SpecialToken(text: pattern, id: id, isNormalized: isNormalized))
    }
    self.special = special
    (start, end) = (ids["bos_token"]!, ids["eos_token"]!)
    (unknown, padding) = (ids["unk_token"]!, ids["pad_token"]!)
  }

  /// The tokens with a role, and what they are where no file says.
  private static let roles = [
    ("bos_token", "<|startoftext|>"), ("eos_token", "<|endoftext|>"),
    ("unk_token", "<|endoftext|>"), ("pad_token", "<|endoftext|>"),
  ]

  /// A token that is listed apart from the vocabulary: a special one, or a word that was added.
  private struct Declaration {
    /// Nil where the list does not say it.
    let id: Int32?
    let isNormalized: Bool
  }

  private static func declare(
    _ token: JSON, id: Int?, in declared: inout [String: Declaration]
  ) {
    guard let token = token.object, let text = token["content"]?.string else { return }
    declared[text] = Declaration(
      id: Self.id(id), isNormalized: token["normalized"] == .bool(true))
  }

  private static func id(_ number: Int?) -> Int32? {
    number.flatMap(Int32.init(exactly:)).flatMap { $0 >= 0 ? $0 : nil }
  }

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
  private static func pairs(_ file: StoredFile) throws(ModelError) -> [(String, String)] {
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
