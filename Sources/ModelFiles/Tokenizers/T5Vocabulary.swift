import FoundationEssentials
import StrictJSON

/// The pieces of a T5 tokenizer and its rules for characters, from `spiece.model` or
/// `tokenizer.json`.
struct T5Vocabulary {
  /// The piece for what no other stands for: T5's are made so, and transformers asks no file.
  static let unknown: Int32 = 2

  /// By their numbers.
  let pieces: [(text: String, score: Double)]
  /// Nil where text is taken as it stands.
  let charsmap: PrecompiledCharsmap?
  /// The special tokens that the file itself names; nil where it has no such list.
  let special: [ListedToken]?
  /// The tokens that `tokenizer.json` lists apart from the pieces, by their numbers.
  let listed: [Int: ListedToken]

  /// - Parameter extras: the pieces that follow the file's, the last first.
  init(_ file: StoredFile, extras: [String]) throws(ModelError) {
    let model = try SentencePieceModel(file)
    guard model.unknown == Self.unknown else {
      throw ModelError(
        "\(file.name): unk_id: expected 2 as every T5 model has, found \(model.unknown): "
          + "give the tokenizer that belongs to the text encoder")
    }
    pieces = model.pieces.map { ($0.text, $0.score) } + extras.reversed().map { ($0, 0) }
    charsmap =
      model.charsmap.isEmpty ? nil : try PrecompiledCharsmap(model.charsmap, place: file.name)
    special = model.pieces.compactMap {
      switch $0.kind {
      case .control: ListedToken(text: $0.text, isSpecial: true, isNormalized: false)
      case .userDefined: ListedToken(text: $0.text, isSpecial: false, isNormalized: false)
      default: nil
      }
    }
    listed = [:]
  }

  init(whole file: StoredFile) throws(ModelError) {
    let object = try file.object()
    let model = object["model"]?.object ?? [:]
    guard model["type"] == .string("Unigram"), let list = model["vocab"]?.array,
      list.count > Self.unknown
    else {
      throw ModelError(
        "\(file.name): model: expected one of type Unigram with a list vocab of 3 pieces or more, "
          + "as T5's are")
    }
    if let unknown = model["unk_id"], unknown != .integer(Int(Self.unknown)) {
      throw ModelError(
        "\(file.name): model.unk_id: expected 2 as every T5 model has, found \(unknown.summary)")
    }
    var pieces: [(text: String, score: Double)] = []
    pieces.reserveCapacity(list.count)
    for (id, entry) in list.enumerated() {
      guard let pair = entry.array, pair.count == 2, let text = pair[0].string, !text.isEmpty,
        let score = pair[1].real, score.isFinite
      else {
        throw ModelError(
          "\(file.name): model.vocab: expected a text and a score as piece \(id), found "
            + entry.summary)
      }
      pieces.append((text, score))
    }
    self.pieces = pieces
    charsmap = try Self.charsmap(object["normalizer"]?.object ?? [:], place: file.name)
    special = nil
    listed = try TokenLists.listed(by: object, place: file.name)
  }

  /// Of a normalizer in `tokenizer.json`, alone or in a sequence. transformers' T5Tokenizer takes
  /// this one of them, no other.
  private static func charsmap(
    _ normalizer: [String: JSON], place: String
  ) throws(ModelError) -> PrecompiledCharsmap? {
    let all = normalizer["normalizers"]?.array?.compactMap(\.object) ?? [normalizer]
    guard let found = all.first(where: { $0["type"] == .string("Precompiled") }) else { return nil }
    guard let text = found["precompiled_charsmap"]?.string, let bytes = Data(base64Encoded: text)
    else {
      throw ModelError("\(place): normalizer.precompiled_charsmap: expected base64")
    }
    return try PrecompiledCharsmap([UInt8](bytes), place: place)
  }
}
