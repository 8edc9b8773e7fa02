import StrictJSON

/// A token as a tokenizer's files list it apart from the vocabulary, with what they leave open.
struct ListedToken: Hashable {
  let text: String
  /// Whether it has a meaning of its own instead of being a word.
  var isSpecial = true
  /// Nil where the list does not say it: then only words are looked for in normalized text.
  var isNormalized: Bool?
  var stripsLeft = false
  var stripsRight = false
  var isSingleWord = false

  init(text: String, isSpecial: Bool = true, isNormalized: Bool? = nil) {
    self.text = text
    self.isSpecial = isSpecial
    self.isNormalized = isNormalized
  }

  /// A text, which is a special token, or an object as `tokenizers` writes its AddedToken.
  /// - Parameter place: what errors call the list.
  init(_ json: JSON, place: String) throws(ModelError) {
    if let text = json.string {
      self.init(text: text)
      return
    }
    guard let object = json.object, let text = object["content"]?.string else {
      throw ModelError(
        "\(place): expected a token's text or an object with its content, found \(json.summary)")
    }
    func flag(_ key: String) -> Bool { object[key] == .bool(true) }
    self.init(text: text, isSpecial: flag("special"))
    if case .bool(let value)? = object["normalized"] { isNormalized = value }
    (stripsLeft, stripsRight) = (flag("lstrip"), flag("rstrip"))
    isSingleWord = flag("single_word")
  }
}
