/// What a file of SentencePiece (`spiece.model`) says of a unigram model: its pieces, and how text
/// is prepared for them.
///
/// Reference: Kudo and Richardson 2018, "SentencePiece"; the fields are those of its
/// `sentencepiece_model.proto`.
struct SentencePieceModel {
  struct Piece: Equatable, Sendable {
    var text = ""
    /// The logarithm of its probability.
    var score = 0.0
    var kind = Kind.normal
  }

  enum Kind: UInt64, Sendable {
    case normal = 1
    case unknown, control, userDefined, unused, byte
  }

  /// By their numbers.
  let pieces: [Piece]
  /// The number of the piece that stands for text that no other is part of.
  let unknown: Int32
  /// The rules of the normalizer (`PrecompiledCharsmap`); empty where there are none.
  let charsmap: [UInt8]

  /// - Throws: `ModelError` where the file is damaged, incomplete or holds another kind of model.
  init(_ file: StoredFile) throws(ModelError) {
    let bytes = try file.bytes()
    var contents = Contents()
    do throws(ProtobufReader.Failure) { try contents.read(bytes[...]) } catch {
      throw ModelError("\(file.name): not a model of SentencePiece: \(error): copy the file again")
    }
    // Each stands in every file, in this order behind the pieces: a file that is cut short lacks
    // them.
    guard !contents.pieces.isEmpty, contents.hasTrainer, contents.hasNormalizer else {
      throw ModelError(
        "\(file.name): expected pieces, a trainer_spec and a normalizer_spec, found "
          + "\(contents.pieces.count) pieces, \(contents.hasTrainer ? "one" : "none") and "
          + "\(contents.hasNormalizer ? "one" : "none"): copy the file again")
    }
    guard contents.modelType == 1 else {
      throw ModelError(
        "\(file.name): model_type: expected 1 (unigram), found \(contents.modelType): "
          + "no other kind of SentencePiece's models is supported")
    }
    guard let unknown = Int32(exactly: contents.unknown), contents.pieces.indices ~= Int(unknown)
    else {
      throw ModelError(
        "\(file.name): unk_id: expected one of the \(contents.pieces.count) pieces, found "
          + "\(contents.unknown): copy the file again")
    }
    pieces = contents.pieces
    self.unknown = unknown
    charsmap = contents.charsmap
  }

  /// The fields that matter, as they are found. What a file leaves out has the default of its
  /// `.proto`.
  private struct Contents {
    var pieces: [Piece] = []
    var hasTrainer = false
    var modelType: UInt64 = 1
    var unknown: Int64 = 0
    var hasNormalizer = false
    var charsmap: [UInt8] = []

    mutating func read(_ bytes: ArraySlice<UInt8>) throws(ProtobufReader.Failure) {
      var reader = ProtobufReader(bytes)
      while let field = try reader.next() {
        switch (field.number, field.value) {
        case (1, .bytes(let message)):
          // A piece in the file has two bytes at least, and one here has many more.
          guard pieces.count < Self.mostPieces else { throw reader.failure("too many pieces") }
          pieces.append(try Self.piece(message))
        case (2, .bytes(let message)):
          hasTrainer = true
          try readTrainer(message)
        case (3, .bytes(let message)):
          hasNormalizer = true
          try readNormalizer(message)
        case (1...3, _): throw reader.failure("field \(field.number) is no message")
        default: break
        }
      }
    }

    /// Four times as many as the largest vocabularies have.
    private static let mostPieces = 1 << 20

    private static func piece(
      _ message: ArraySlice<UInt8>
    ) throws(ProtobufReader.Failure) -> Piece {
      var piece = Piece()
      var reader = ProtobufReader(message)
      while let field = try reader.next() {
        switch (field.number, field.value) {
        case (1, .bytes(let bytes)):
          guard let text = String(validating: bytes, as: UTF8.self) else {
            throw reader.failure("a piece that is not UTF-8 ends")
          }
          piece.text = text
        case (2, .fixed32(let bits)):
          piece.score = Double(Float(bitPattern: bits))
          guard piece.score.isFinite else { throw reader.failure("a score that is no number ends") }
        case (3, .varint(let number)):
          guard let kind = Kind(rawValue: number) else {
            throw reader.failure("an unknown type \(number) of a piece ends")
          }
          piece.kind = kind
        case (1...3, _): throw reader.failure("a piece's field \(field.number) has another kind")
        default: break
        }
      }
      guard !piece.text.isEmpty else { throw reader.failure("a piece without text ends") }
      return piece
    }

    private mutating func readTrainer(
      _ message: ArraySlice<UInt8>
    ) throws(ProtobufReader.Failure) {
      var reader = ProtobufReader(message)
      while let field = try reader.next() {
        switch (field.number, field.value) {
        case (3, .varint(let number)): modelType = number
        case (40, .varint(let number)): unknown = Int64(bitPattern: number)
        default: break
        }
      }
    }

    private mutating func readNormalizer(
      _ message: ArraySlice<UInt8>
    ) throws(ProtobufReader.Failure) {
      var reader = ProtobufReader(message)
      while let field = try reader.next() {
        if field.number == 2, case .bytes(let bytes) = field.value { charsmap = Array(bytes) }
      }
    }
  }
}
