import StrictJSON

/// What a tokenizer's folder lists apart from its vocabulary: the tokens that are looked for in the
/// text, and those with a role.
///
/// As transformers 5 reads it, the same for every tokenizer: a table of the tokens in the
/// configuration stands for all older places, and tokens that the vocabulary lacks are numbered
/// behind it in the order of the files, whatever numbers these give them.
struct TokenLists {
  /// Those that the vocabulary lacks are in the order in which they are numbered.
  let added: [AddedToken]
  private let roles: [Role]
  private let config, map: ConfigReader

  /// `isListed` is whether transformers knows the token for special where it reads
  /// `added_tokens.json`.
  private typealias Role = (name: String, token: ListedToken, isListed: Bool)

  /// `tokenizer_config.json`, without what no tokenizer here does.
  static func config(in folder: any FileTree) throws(ModelError) -> ConfigReader {
    let file = try folder.file(ModelPart.tokenizer.configFile)
    let config = ConfigReader(
      file: file?.name ?? folder.place(ModelPart.tokenizer.configFile),
      members: try file?.object() ?? [:])
    try config.require("padding_side", oneOf: .string("right"))
    try config.require("truncation_side", oneOf: .string("right"))
    try config.require("split_special_tokens", oneOf: .bool(false))
    return config
  }

  /// - Parameters:
  ///   - usual: the tokens with a role where no file says them.
  ///   - whole: those that `tokenizer.json` lists, by their numbers.
  ///   - implied: the special tokens without a role where the configuration has no list of them;
  ///     reads what else `special_tokens_map.json` says.
  init(
    _ config: ConfigReader, in folder: any FileTree, usual: [String: String],
    whole: [Int: ListedToken], implied: (ConfigReader) throws(ModelError) -> [ListedToken]
  ) throws(ModelError) {
    let table = config.members["added_tokens_decoder"]?.object
    let mapFile = table == nil ? try folder.file("special_tokens_map.json") : nil
    let map = ConfigReader(
      file: mapFile?.name ?? config.file, members: try mapFile?.object() ?? [:])
    let roles = try Self.roles(config, map, usual: usual)
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
          roles.filter(\.isListed).map(\.token.text) + (try Self.listedTexts(config, map)))
        for (text, id) in try file.object().sorted(by: { $0.key < $1.key }) {
          guard let id = id.integer else {
            throw ModelError(
              "\(file.name): token \(text.quoted): expected a whole number, found \(id.summary)")
          }
          let isSpecial = named.contains(text)
          listed[id] = ListedToken(text: text, isSpecial: isSpecial, isNormalized: !isSpecial)
        }
      }
      listed.merge(whole) { $1 }
    }
    let others: [ListedToken] = if let special { special } else { try implied(map) }
    added = Self.merged(
      listed.sorted { $0.key < $1.key }.map(\.value), roles.map(\.token), others)
    (self.roles, self.config, self.map) = (roles, config, map)
  }

  /// The token with a role, by its name in the configuration.
  func text(of role: String) throws(ModelError) -> String {
    guard let role = roles.first(where: { $0.name == role }) else {
      throw (map.members[role] == nil ? config : map).error(role, expected: "a token")
    }
    return role.token.text
  }

  /// The tokens that `tokenizer.json` lists, by their numbers.
  /// - Parameter place: what errors call the file.
  static func listed(
    by object: [String: JSON], place: String
  ) throws(ModelError) -> [Int: ListedToken] {
    // What the file says of padding and truncation otherwise, a prompt's length overrules.
    for key in ["truncation", "padding"] {
      guard let direction = object[key]?.object?["direction"], direction != .string("Right")
      else { continue }
      throw ModelError(
        "\(place): \(key).direction: expected \"Right\", found \(direction.summary): "
          + "nothing else is supported")
    }
    var listed: [Int: ListedToken] = [:]
    for token in object["added_tokens"]?.array ?? [] {
      guard let id = token.object?["id"]?.integer else {
        throw ModelError("\(place): added_tokens: expected tokens with an id")
      }
      listed[id] = try ListedToken(token, place: "\(place): added_tokens")
    }
    return listed
  }

  /// The tokens with a role, in the order in which transformers numbers them.
  private static func roles(
    _ config: ConfigReader, _ map: ConfigReader, usual: [String: String]
  ) throws(ModelError) -> [Role] {
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
    var special = try tokens(key(of: config), in: config)
    if var more = try tokens(newer, in: map) {
      for index in more.indices { more[index].isSpecial = true }
      special = (special ?? []) + more
    }
    return special
  }

  private static let newer = "extra_special_tokens", older = "additional_special_tokens"

  /// Under which name the configuration lists them.
  private static func key(of config: ConfigReader) -> String {
    var isEmpty = true
    if let tokens = config.members[newer]?.array { isEmpty = tokens.isEmpty }
    return isEmpty && config.members[older] != nil ? older : newer
  }

  /// Those of which transformers knows when it reads `added_tokens.json`: an object in the
  /// configuration is no token yet.
  private static func listedTexts(
    _ config: ConfigReader, _ map: ConfigReader
  ) throws(ModelError) -> [String] {
    let texts = config.members[key(of: config)]?.array?.compactMap(\.string) ?? []
    return texts + (try tokens(newer, in: map) ?? []).map(\.text)
  }

  static func tokens(
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
}
