import StrictJSON

/// What a T5 tokenizer's folder says, checked: a vocabulary, and the tokens that are looked for in
/// the text.
///
/// As transformers 5 reads it: `tokenizer.json` comes before `spiece.model`, and tokens that the
/// vocabulary lacks are numbered behind it in the order of the files, whatever numbers these give
/// them.
struct T5TokenizerFiles {
  let vocabulary: T5Vocabulary
  /// Those that the vocabulary lacks are in the order in which they are numbered.
  let added: [AddedToken]
  /// The token that ends every prompt.
  let end: String
  let padding: String

  /// Every place of a prompt may be the start of every piece: their lengths bound its time.
  private static let longestText = 1024

  /// `isListed` is whether transformers knows the token for special where it reads
  /// `added_tokens.json`.
  private typealias Role = (name: String, token: ListedToken, isListed: Bool)

  init(_ folder: any FileTree) throws(ModelError) {
    let configFile = try folder.file(ModelPart.tokenizer.configFile)
    let config = ConfigReader(
      file: configFile?.name ?? folder.place(ModelPart.tokenizer.configFile),
      members: try configFile?.object() ?? [:])
    try config.require("padding_side", oneOf: .string("right"))
    try config.require("truncation_side", oneOf: .string("right"))
    try config.require("split_special_tokens", oneOf: .bool(false))
    let extraCount = try config.int("extra_ids", default: 100, in: 0...65536)
    let extras = (0..<extraCount).map { "<extra_id_\($0)>" }

    if let whole = try folder.file("tokenizer.json") {
      vocabulary = try T5Vocabulary(whole: whole)
    } else {
      let model = try folder.required("spiece.model", "the model's tokenizer has to be complete")
      vocabulary = try T5Vocabulary(model, extras: extras)
    }

    // A table of the tokens, where there is one, stands for the older places.
    let table = config.members["added_tokens_decoder"]?.object
    let mapFile = table == nil ? try folder.file("special_tokens_map.json") : nil
    let map = ConfigReader(
      file: mapFile?.name ?? config.file, members: try mapFile?.object() ?? [:])
    let roles = try Self.roles(config, map)
    let special = try Self.special(config, map)
    var listed: [Int: ListedToken] = [:]
    if let table {
      for (id, token) in table.sorted(by: { $0.key < $1.key }) {
        guard let id = Int(id) else {
          throw config.error("added_tokens_decoder", expected: "numbers as keys")
        }
        listed[id] = try ListedToken(token, place: "\(config.file): added_tokens_decoder")
      }
    } else {
      if let file = try folder.file("added_tokens.json") {
        let named = Set(
          roles.filter(\.isListed).map(\.token.text) + (special ?? []).map(\.text))
        for (text, id) in try file.object().sorted(by: { $0.key < $1.key }) {
          guard let id = id.integer else {
            throw ModelError(
              "\(file.name): token \(text.quoted): expected a whole number, found \(id.summary)")
          }
          let isSpecial = named.contains(text)
          listed[id] = ListedToken(text: text, isSpecial: isSpecial, isNormalized: !isSpecial)
        }
      }
      listed.merge(vocabulary.listed) { $1 }
    }
    let implied = try Self.implied(by: vocabulary, map, extras: extras)
    added = Self.merged(
      listed.sorted { $0.key < $1.key }.map(\.value), roles.map(\.token), special ?? implied)
    for text in vocabulary.pieces.map(\.text) + added.map(\.text) {
      try Self.requireShort(text, in: folder)
    }

    func text(of role: String) throws(ModelError) -> String {
      guard let role = roles.first(where: { $0.name == role }) else {
        throw (map.members[role] == nil ? config : map).error(role, expected: "a token")
      }
      return role.token.text
    }
    end = try text(of: "eos_token")
    padding = try text(of: "pad_token")
  }

  /// The tokens with a role, in the order in which transformers numbers them.
  private static func roles(
    _ config: ConfigReader, _ map: ConfigReader
  ) throws(ModelError) -> [Role] {
    let usual = ["eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"]
    var roles: [Role] = []
    for name in [
      "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
    ] {
      let place = map.members[name] == nil ? config : map
      if let value = place.members[name] {
        guard value != .null else { continue }
        let token = try ListedToken(value, place: "\(place.file): \(name)")
        roles.append((name, token, value.string != nil || map.members[name] != nil))
      } else if let text = usual[name] {
        roles.append((name, ListedToken(text: text), false))
      }
    }
    return roles
  }

  /// The special tokens without a role that the configuration lists; nil where it has no list,
  /// which is not an empty one.
  private static func special(
    _ config: ConfigReader, _ map: ConfigReader
  ) throws(ModelError) -> [ListedToken]? {
    let newer = "extra_special_tokens"
    let older = "additional_special_tokens"
    var isEmpty = true
    if let tokens = config.members[newer]?.array { isEmpty = tokens.isEmpty }
    let key = isEmpty && config.members[older] != nil ? older : newer
    var special = try tokens(key, in: config)
    if var more = try tokens(newer, in: map) {
      for index in more.indices { more[index].isSpecial = true }
      special = (special ?? []) + more
    }
    return special
  }

  private static func tokens(
    _ key: String, in config: ConfigReader
  ) throws(ModelError) -> [ListedToken]? {
    switch config.members[key] {
    case nil: return nil
    case .null: return []
    case .object([:]): return nil
    case .array(let values):
      var tokens: [ListedToken] = []
      for value in values {
        tokens.append(try ListedToken(value, place: "\(config.file): \(key)"))
      }
      return tokens
    default: throw config.error(key, expected: "a list of tokens")
    }
  }

  /// The special tokens without a role where the configuration has no list of them.
  private static func implied(
    by vocabulary: T5Vocabulary, _ map: ConfigReader, extras: [String]
  ) throws(ModelError) -> [ListedToken] {
    var some = vocabulary.special ?? []
    if vocabulary.special == nil { some = try tokens("additional_special_tokens", in: map) ?? [] }
    let hasExtras = some.contains { $0.text.contains("<extra_id_") }
    return hasExtras ? some : some + extras.map { ListedToken(text: $0) }
  }

  /// The tokens of all lists, each once: of what is said of one by number the last holds, else of
  /// what is said elsewhere.
  private static func merged(
    _ listed: [ListedToken], _ roles: [ListedToken], _ special: [ListedToken]
  ) -> [AddedToken] {
    let named = Set(roles.map(\.text))
    let numbered = Set(listed.map(\.text))
    var others = Set<ListedToken>()
    // What was said already and is said again does not hold anew.
    let rest = (roles + special).filter {
      !numbered.contains($0.text) && others.insert($0).inserted
    }
    var added: [AddedToken] = []
    var places: [String: Int] = [:]
    for token in listed + rest where !token.text.isEmpty {
      let isSpecial = token.isSpecial || named.contains(token.text)
      let result = AddedToken(
        text: token.text, stripsLeft: token.stripsLeft, stripsRight: token.stripsRight,
        isSingleWord: token.isSingleWord, isNormalized: token.isNormalized ?? !isSpecial)
      if let place = places[token.text] {
        added[place] = result
      } else {
        places[token.text] = added.count
        added.append(result)
      }
    }
    return added
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
