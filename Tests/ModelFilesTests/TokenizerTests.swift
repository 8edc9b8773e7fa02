import FixtureSupport
import Foundation
import StrictJSON
import Testing

@testable import ModelFiles

@Suite("The tokenizer")
struct TokenizerTests {
  static let expected = try! JSONParser.parse(Fixtures.bytes("tokenizer/expected.json")).object!
  static let layouts = expected.keys.filter { $0 != "texts" }.sorted()

  /// One of the layouts that the fixtures describe, with the vocabulary that they share.
  private func files(_ layout: String) throws -> CLIPTokenizerFiles {
    let folder = TemporaryFolder()
    let tree = DirectoryTree(name: "\(Fixtures.path)/tokenizer/\(layout)")
    for name in tree.names(in: "") {
      folder.write(name, Fixtures.bytes("tokenizer/\(layout)/\(name)"))
    }
    if layout != "single-file" {
      for name in ["vocab.json", "merges.txt"] {
        folder.write(name, Fixtures.bytes("tokenizer/\(name)"))
      }
    }
    return try CLIPTokenizerFiles(DirectoryTree(name: folder.path))
  }

  private func tokenizer(
    _ layout: String = "end-padded", length: Int = 77
  ) throws -> CLIPTokenizer {
    try CLIPTokenizer(files(layout), length: length)
  }

  @Test("every text has the tokens that transformers gives it", arguments: layouts)
  func golden(_ layout: String) throws {
    let texts = try #require(Self.expected["texts"]?.array).map { $0.string! }
    let rows = try #require(Self.expected[layout]?.array)
    #expect(rows.count >= 50 && rows.count <= texts.count)
    let tokenizer = try tokenizer(layout)
    for (text, row) in zip(texts, rows) {
      var ids = row.array!.map { Int32($0.integer!) }
      ids += Array(repeating: ids.last!, count: 77 - ids.count)
      #expect(tokenizer.encode(text) == ids, "\(text.debugDescription)")
    }
  }

  @Test(
    "words that were added to a model come behind its vocabulary, in every layout that says them")
  func added() throws {
    let vocabulary = String(decoding: Fixtures.bytes("tokenizer/vocab.json"), as: UTF8.self)
    let merges = String(decoding: Fixtures.bytes("tokenizer/merges.txt"), as: UTF8.self)
    let token = #"{"content": "<cat-toy>", "normalized": true, "special": false"#
    let plain = try tokenizer()
    let size = Int32(try files("end-padded").vocabulary.count)
    for (name, text) in [
      ("tokenizer_config.json", #"{"added_tokens_decoder": {"4000": \#(token)}}}"#),
      ("added_tokens.json", #"{"<cat-toy>": 4000}"#),
      (
        "tokenizer.json",
        #"{"model": {"vocab": \#(vocabulary), "merges": []}, "added_tokens": [\#(token), "id": 4000}]}"#
      ),
    ] {
      let folder = TemporaryFolder()
      folder.write(name, text)
      if name != "tokenizer.json" {
        folder.write("vocab.json", vocabulary)
        folder.write("merges.txt", merges)
      }
      let tokenizer = try CLIPTokenizer(
        CLIPTokenizerFiles(DirectoryTree(name: folder.path)), length: 77)
      #expect(tokenizer.encode("the <cat-toy>").contains(size), "\(name)")
      #expect(tokenizer.encode("<Cat-Toy>")[1] == size, "\(name)")
      #expect(!tokenizer.encode("cat toy").contains(size), "\(name)")
      if name != "tokenizer.json" {
        #expect(tokenizer.encode("the noise") == plain.encode("the noise"), "\(name)")
      }
    }
  }

  @Test(
    "a prompt has as many tokens as the text encoder reads, however long it is",
    arguments: [3, 77, 248])
  func length(_ length: Int) throws {
    let tokenizer = try tokenizer(length: length)
    for text in ["", "rain", String(repeating: "rain ", count: 1000)] {
      #expect(tokenizer.encode(text).count == length)
    }
    #expect(tokenizer.length == length)
    #expect(tokenizer.encode("").allSatisfy { $0 <= tokenizer.largestID })
  }

  @Test("a prompt that is one long word takes no quadratic time", .timeLimit(.minutes(5)))
  func hostile() throws {
    let tokenizer = try tokenizer()
    for text in ["a", "noise", "!", "\u{0301}", "<|", "日", " "] {
      let prompt = String(repeating: text, count: 200_000 / text.utf8.count)
      #expect(tokenizer.encode(prompt).count == 77)
    }
  }

  private func refusal(_ files: [String: String]) -> String {
    let folder = TemporaryFolder()
    for (name, text) in files { folder.write(name, text) }
    do {
      _ = try CLIPTokenizer(CLIPTokenizerFiles(DirectoryTree(name: folder.path)), length: 77)
    } catch {
      return "\(error)".replacingOccurrences(of: folder.path + "/", with: "")
    }
    return ""
  }

  @Test("files that are missing, damaged or do not belong together are refused by name")
  func unfit() {
    let vocabulary = #"{"a": 0, "b": 1, "<|startoftext|>": 2, "<|endoftext|>": 3}"#
    #expect(refusal([:]).hasPrefix("vocab.json: missing"))
    #expect(refusal(["vocab.json": vocabulary]).hasPrefix("merges.txt: missing"))
    #expect(refusal(["vocab.json": vocabulary, "merges.txt": "#version: 0.2\n"]) == "")
    #expect(
      refusal(["vocab.json": vocabulary, "merges.txt": "#version: 0.2\na b\n"])
        .hasPrefix("merges.txt: pair 1, \"a b\": the vocabulary lacks"))
    #expect(
      refusal(["vocab.json": vocabulary, "merges.txt": "#version: 0.2\n\na b c\n"])
        .hasPrefix("merges.txt: line 3: expected two symbols"))
    #expect(
      refusal(["vocab.json": #"{"a": 0, "b": 0}"#, "merges.txt": ""]).contains("is another's, too"))
    #expect(
      refusal(["vocab.json": #"{"a": -1}"#, "merges.txt": ""]).contains("expected a whole number"))
    // Numbered behind the vocabulary.
    #expect(refusal(["vocab.json": #"{"a": 0}"#, "merges.txt": ""]) == "")
    for (key, value) in [
      ("pad_token", "\"\""), ("pad_token", "null"), ("padding_side", "\"left\""),
      ("truncation_side", "\"left\""), ("split_special_tokens", "true"),
    ] {
      let config = "{\"\(key)\": \(value)}"
      let files = ["vocab.json": vocabulary, "merges.txt": "", "tokenizer_config.json": config]
      #expect(refusal(files).hasPrefix("tokenizer_config.json: \(key): expected"), "\(config)")
    }
    let directed =
      #"{"model": {"vocab": \#(vocabulary), "merges": []}, "padding": {"direction": "Left"}}"#
    #expect(
      refusal(["tokenizer.json": directed]).hasPrefix("tokenizer.json: padding.direction: expected")
    )
    #expect(refusal(["vocab.json": "{", "merges.txt": ""]).hasPrefix("vocab.json: not valid JSON"))
    #expect(refusal(["tokenizer.json": "{}"]).hasPrefix("tokenizer.json: expected an object model"))
  }
}
