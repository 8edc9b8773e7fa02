import FixtureSupport
import Foundation
import StrictJSON
import Testing

@testable import ModelFiles

@Suite("T5Tokenizer")
struct T5TokenizerTests {
  static let expected = try! JSONParser.parse(Fixtures.bytes("t5-tokenizer/expected.json")).object!
  static let layouts = expected.keys.filter { $0 != "texts" }.sorted()

  /// A copy of one of the layouts that the fixtures describe, with the model that some of them
  /// share.
  private static func folder(_ layout: String) -> TemporaryFolder {
    let folder = TemporaryFolder()
    let tree = DirectoryTree(name: "\(Fixtures.path)/t5-tokenizer/\(layout)")
    for name in tree.names(in: "") {
      folder.write(name, Fixtures.bytes("t5-tokenizer/\(layout)/\(name)"))
    }
    if layout == "map" || layout == "words" {
      folder.write("spiece.model", Fixtures.bytes("t5-tokenizer/rules/spiece.model"))
    }
    return folder
  }

  private func tokenizer(_ layout: String, length: Int = 226) throws -> T5Tokenizer {
    let folder = Self.folder(layout)
    return try T5Tokenizer(DirectoryTree(name: folder.path), length: length)
  }

  @Test("every text has the tokens that transformers gives it, at every length", arguments: layouts)
  func golden(_ layout: String) throws {
    let texts = try #require(Self.expected["texts"]?.array).map { $0.string! }
    let lengths = try #require(Self.expected[layout]?.object)
    #expect(lengths.keys.sorted() == ["1", "2", "226", "24"])
    for (length, rows) in lengths {
      let length = Int(length)!
      let rows = try #require(rows.array)
      #expect(rows.count >= 12 && rows.count <= texts.count)
      let tokenizer = try tokenizer(layout, length: length)
      #expect(tokenizer.length == length)
      for (text, row) in zip(texts, rows) {
        var ids = row.array!.map { Int32($0.integer!) }
        ids += Array(repeating: ids.last!, count: length - ids.count)
        let found = tokenizer.encode(text)
        #expect(found == ids, "\(text.debugDescription) at \(length)")
        #expect(found.allSatisfy { 0...tokenizer.largestID ~= $0 })
      }
    }
  }

  @Test("a model's folder gives its tokenizer, where the index does not name another class")
  func modelFolder() throws {
    let folder = TemporaryFolder()
    folder.write(
      "tokenizer/spiece.model", Fixtures.bytes("t5-tokenizer/identity/spiece.model"))
    for name in ["T5Tokenizer", "T5TokenizerFast", "CLIPTokenizer"] {
      folder.write("model_index.json", #"{"tokenizer": ["transformers", "\#(name)"]}"#)
      let model = try ModelFolder(path: folder.path)
      if name == "CLIPTokenizer" {
        #expect(throws: ModelError.self) { try model.t5Tokenizer(length: 226) }
      } else {
        let tokenizer = try model.t5Tokenizer(length: 226)
        #expect(tokenizer.paddingID == 0)
        #expect(tokenizer.encode("") == [1] + Array(repeating: 0, count: 225))
        #expect(throws: ModelError.self) { try model.tokenizer(length: 77) }
      }
    }
  }

  @Test("a prompt that is one long word takes no quadratic time", .timeLimit(.minutes(5)))
  func hostile() throws {
    let tokenizer = try tokenizer("words", length: 100_000)
    for text in [
      "a", "noise", "!", "\u{0301}", "<extra_id_", "<extra_id_0>", "日", " ", "right ", "😀",
    ] {
      let prompt = String(repeating: text, count: 100_000 / text.utf8.count)
      #expect(tokenizer.encode(prompt).count == 100_000)
    }
  }

  private func refusal(_ files: [String: [UInt8]]) -> String {
    let folder = TemporaryFolder()
    for (name, bytes) in files { folder.write(name, bytes) }
    do {
      _ = try T5Tokenizer(DirectoryTree(name: folder.path), length: 226)
    } catch {
      return "\(error)".replacingOccurrences(of: folder.path + "/", with: "")
    }
    return ""
  }

  private func refusal(_ name: String, _ text: String) -> String {
    let model = Fixtures.bytes("t5-tokenizer/rules/spiece.model")
    return refusal(["spiece.model": model, name: Array(text.utf8)])
  }

  @Test("files that are missing, damaged or ask for what is not done are refused by name")
  func unfit() {
    #expect(refusal([:]).hasPrefix("spiece.model: missing"))
    let config = "tokenizer_config.json"
    #expect(refusal(config, "{}") == "")
    for (text, start) in [
      ("[]", "expected a JSON object"), (#"{"padding_side": "left"}"#, "padding_side: expected"),
      (#"{"truncation_side": "left"}"#, "truncation_side: expected"),
      (#"{"split_special_tokens": true}"#, "split_special_tokens: expected false"),
      (#"{"extra_ids": -1}"#, "extra_ids: expected a whole number"),
      (#"{"eos_token": null}"#, "eos_token: expected a token"),
      (#"{"pad_token": 1}"#, "pad_token: expected a token's text"),
      (#"{"pad_token": ""}"#, "eos_token, pad_token: expected tokens with a text"),
      (#"{"extra_special_tokens": 3}"#, "extra_special_tokens: expected a list of tokens"),
      (#"{"extra_special_tokens": {"a": "b"}}"#, "extra_special_tokens: expected a list of tokens"),
      (#"{"additional_special_tokens": [3]}"#, "additional_special_tokens: expected a token's"),
      (#"{"added_tokens_decoder": {"x": "y"}}"#, "added_tokens_decoder: expected numbers as keys"),
      (#"{"added_tokens_decoder": {"7": {}}}"#, "added_tokens_decoder: expected a token's text"),
    ] {
      let error = refusal(config, text)
      #expect(error.hasPrefix("\(config): \(start)"), "\(text): \(error)")
    }
    #expect(
      refusal(config, #"{"bos_token": "\#(String(repeating: "a", count: 1025))"}"#)
        .contains("expected 1024 bytes at most, found 1025"))
    #expect(
      refusal("special_tokens_map.json", #"{"pad_token": null}"#)
        .hasPrefix("special_tokens_map.json: pad_token: expected a token"))
    #expect(
      refusal("added_tokens.json", #"{"x": "y"}"#)
        .hasPrefix("added_tokens.json: token \"x\": expected a whole number"))
    let whole = "tokenizer.json"
    // A trie of one unit, and what some words would become gigabytes by.
    let long = Data([4, 0, 0, 0, 0, 0, 0, 0] + Array(repeating: 0x61, count: 65) + [0])
    for (text, start) in [
      (
        #"""
        {"model": {"type": "Unigram", "vocab": [["a", 0], ["b", 0], ["c", 0]]},
         "normalizer": {"type": "Precompiled", "precompiled_charsmap": "\#(long.base64EncodedString())"}}
        """#, "precompiled_charsmap: expected replacements of 64 bytes at most, found one of 65"
      ),
      ("{}", "model: expected one of type Unigram"),
      (#"{"model": {"type": "BPE", "vocab": []}}"#, "model: expected one of type Unigram"),
      (#"{"model": {"type": "Unigram", "vocab": [["a", 0]]}}"#, "model: expected one"),
      (
        #"{"model": {"type": "Unigram", "vocab": [["a", 0], ["b", 0], ["c", "d"]]}}"#,
        "model.vocab: expected a text and a score as piece 2"
      ),
      (
        #"{"model": {"type": "Unigram", "vocab": [["a", 0], ["b", 0], ["c", 0]], "unk_id": 0}}"#,
        "model.unk_id: expected 2"
      ),
      (
        #"""
        {"model": {"type": "Unigram", "vocab": [["a", 0], ["b", 0], ["c", 0]]},
         "normalizer": {"type": "Precompiled", "precompiled_charsmap": "?"}}
        """#, "normalizer.precompiled_charsmap: expected base64"
      ),
      (
        #"""
        {"model": {"type": "Unigram", "vocab": [["a", 0], ["b", 0], ["c", 0]]},
         "normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAAAAAA"}}
        """#, "precompiled_charsmap: expected a trie's size"
      ),
      (
        #"""
        {"model": {"type": "Unigram", "vocab": [["a", 0], ["b", 0], ["c", 0]]},
         "padding": {"direction": "Left"}}
        """#, "padding.direction: expected \"Right\""
      ),
    ] {
      let error = refusal(whole, text)
      #expect(error.hasPrefix("\(whole): \(start)"), "\(text): \(error)")
    }
  }
}
