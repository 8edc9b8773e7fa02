import CEmbeddedModel
import StrictJSON

/// The tokenizer that CLIP was trained with, and every Stable Diffusion 1.x with it: for
/// checkpoints without one. What it does follows from the pairs that it merges.
enum CLIPVocabulary {
  /// A file of its folder, by its name.
  static func file(_ name: String) throws(ModelError) -> StoredFile? {
    switch name {
    case "merges.txt": merges
    case "vocab.json": StoredFile(name: name, bytes: try vocabulary.get())
    default: nil
    }
  }

  private static var merges: StoredFile {
    StoredFile(
      name: "merges.txt",
      storage: StaticMemory(start: tdm_clip_merges_start(), byteCount: tdm_clip_merges_size),
      range: 0..<tdm_clip_merges_size)
  }

  /// Symbols of a byte in the order of their characters, the same at a word's end, what pairs make
  /// by their rank, and the two marks.
  private static let vocabulary = Result { () throws(ModelError) in
    let bytes = BytePairEncoding.byteSymbols.sorted {
      $0.unicodeScalars.first!.value < $1.unicodeScalars.first!.value
    }
    var symbols = bytes
    symbols += bytes.map { $0 + BytePairEncoding.wordEnd }
    symbols += try CLIPTokenizerFiles.pairs(merges).map { $0.0 + $0.1 }
    symbols += ["<|startoftext|>", "<|endoftext|>"]
    let numbered = zip(symbols, symbols.indices.map(JSON.integer))
    return Array(JSON.object(Dictionary(uniqueKeysWithValues: numbered)).text.utf8)
  }
}
