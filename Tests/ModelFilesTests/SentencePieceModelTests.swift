import TensorCore
import Testing

@testable import ModelFiles

/// A folder with nothing but a `spiece.model`, in memory.
private final class MemoryFile: FileTree, WeightStorage {
  let name = "folder"
  private let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var stored: StoredFile { StoredFile(name: "spiece.model", storage: self, range: 0..<bytes.count) }

  func file(_ path: String) -> StoredFile? { path == "spiece.model" ? stored : nil }

  func names(in folder: String) -> [String] { ["spiece.model"] }

  func withBytes<R>(
    in range: Range<Int>, _ body: (UnsafeRawBufferPointer) -> R
  ) throws(StorageError) -> R {
    bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }
}

@Suite("SentencePiece models")
struct SentencePieceModelTests {
  private func model(_ bytes: [UInt8]) throws -> SentencePieceModel {
    try SentencePieceModel(MemoryFile(bytes).stored)
  }

  private func refusal(_ bytes: [UInt8]) -> String {
    do { _ = try model(bytes) } catch { return "\(error)" }
    return ""
  }

  /// A field of a message: a number below 16 as its key, and bytes.
  private func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
    [number << 3 | 2, UInt8(bytes.count)] + bytes
  }

  @Test("a model has the pieces, the unknown one and the rules that SentencePiece wrote")
  func fields() throws {
    let rules = try model(Fixtures.bytes("t5-tokenizer/rules/spiece.model"))
    #expect(rules.unknown == 2)
    #expect(rules.pieces.prefix(3).map(\.text) == ["<pad>", "</s>", "<unk>"])
    #expect(
      rules.pieces.prefix(6).map(\.kind)
        == [.control, .control, .unknown, .userDefined, .userDefined, .normal])
    #expect(rules.pieces[5].score < 0)
    #expect(!rules.charsmap.isEmpty)
    #expect(try model(Fixtures.bytes("t5-tokenizer/identity/spiece.model")).charsmap.isEmpty)
  }

  @Test("what is no unigram model of SentencePiece is refused in one line")
  func unfit() {
    let pieces = (0..<3).flatMap { field(1, field(1, [0x61 + $0])) }
    let trainer = field(2, [0xC0, 0x02, 0x02])  // unk_id 2
    let normalizer = field(3, [])
    #expect(refusal(pieces + trainer + normalizer) == "")
    for (bytes, part) in [
      ([], "expected pieces, a trainer_spec and a normalizer_spec, found 0 pieces"),
      (Array("<!DOCTYPE html>".utf8), "no kind of field has the number 4"),
      (pieces + trainer, "found 3 pieces, one and none"),
      (trainer + normalizer, "found 0 pieces, one and one"),
      (pieces + field(2, [0x18, 2]) + normalizer, "model_type: expected 1 (unigram), found 2"),
      (pieces + field(2, [0xC0, 2, 3]) + normalizer, "unk_id: expected one of the 3 pieces"),
      (
        pieces + field(2, [0xC0, 2] + Array(repeating: 0xFF, count: 9) + [1]) + normalizer,
        "found -1"
      ),
      (field(1, field(1, [0xFF])), "a piece that is not UTF-8 ends at byte"),
      (field(1, []), "a piece without text ends at byte 2"),
      (field(1, [0x15, 0, 0, 0x80, 0x7F]), "a score that is no number"),
      (field(1, [0x18, 9]), "an unknown type 9 of a piece"),
      (field(1, [0x10, 9]), "a piece's field 2 has another kind"),
      ([0x08, 1], "field 1 is no message"),
      ([0x0A] + Array(repeating: 0xFF, count: 9) + [1], "goes beyond what holds it"),
      ([0x0A] + Array(repeating: 0x80, count: 11), "a number has more than 10 bytes"),
      ([0x0A, 0x80], "the file ends within a number"),
    ] {
      let error = refusal(bytes)
      #expect(error.hasPrefix("spiece.model: ") && error.contains(part), "\(bytes): \(error)")
      #expect(!error.contains("\n"))
    }
  }

  @Test("a file that was cut anywhere is refused, or has lost nothing that is used")
  func cut() throws {
    for layout in ["identity", "rules"] {
      let bytes = Fixtures.bytes("t5-tokenizer/\(layout)/spiece.model")
      let whole = try model(bytes)
      for count in 0..<bytes.count {
        guard let part = try? model(Array(bytes[..<count])) else { continue }
        #expect(part.pieces == whole.pieces, "\(layout): \(count)")
        #expect(part.charsmap == whole.charsmap, "\(layout): \(count)")
      }
    }
  }

  @Test("a file with any byte changed is refused, or gives a tokenizer that encodes")
  func changed() throws {
    let bytes = Fixtures.bytes("t5-tokenizer/rules/spiece.model")
    for place in bytes.indices {
      var damaged = bytes
      damaged[place] ^= UInt8(1 << (place % 8))
      guard let tokenizer = try? T5Tokenizer(MemoryFile(damaged), length: 24) else { continue }
      let tokens = tokenizer.encode("ＡＢＣ ½ E\u{301} the noise\u{ad}😀 ﬁ one-word...<")
      #expect(tokens.count == 24 && tokens.allSatisfy { 0...tokenizer.largestID ~= $0 })
    }
  }
}
