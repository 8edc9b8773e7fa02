import Foundation
import TensorCore

/// A small Stable Diffusion 1.x as a folder, and as checkpoints of a single file with the names of
/// the original code. `Tests/Fixtures/make_single_file.py` makes it.
public enum SingleFileFixture {
  private static let files = FixtureFolder(name: "single-file")

  /// The original name of each tensor, by `PART/NAME` as diffusers has it.
  public static func names() throws -> [String: String] {
    try JSONDecoder().decode([String: String].self, from: files.data("names.json"))
  }

  /// The shape of each tensor, by `PART/NAME`.
  public static func shapes() throws -> [String: [Int]] {
    try JSONDecoder().decode([String: WeightRecipe].self, from: files.data("weights.json"))
      .mapValues(\.shape.extents)
  }

  /// The configurations that diffusers writes of the model, without its weights.
  public static var configurations: String { files.folder.appending(path: "model").path }

  /// Prompts, and the numbers that transformers' tokenizer makes of each by CLIP's vocabulary.
  public static func tokens() throws -> [(prompt: String, ids: [Int32])] {
    try JSONDecoder().decode([Row].self, from: files.data("tokens.json")).map {
      ($0.prompt, $0.ids)
    }
  }

  private struct Row: Decodable {
    let prompt: String
    let ids: [Int32]

    init(from decoder: any Decoder) throws {
      var fields = try decoder.unkeyedContainer()
      prompt = try fields.decode(String.self)
      ids = try fields.decode([Int32].self)
    }
  }

  /// Writes the model as a folder, with CLIP's tokenizer.
  public static func writeModel(to path: URL) throws {
    try files.writeModel(to: path)
    let merges = FixtureFolder.root.appending(
      path: "../../Sources/CEmbeddedModel/clip-merges.txt")
    let tokenizer = path.appending(path: "tokenizer")
    try FileManager.default.removeItem(at: tokenizer)
    try FileManager.default.createDirectory(at: tokenizer, withIntermediateDirectories: false)
    try FileManager.default.copyItem(at: merges, to: tokenizer.appending(path: "merges.txt"))
    // The numbers of CLIP's own code: printable bytes, the others, both at the end of a word.
    let printable = Array(33...126) + Array(161...172) + Array(174...255)
    let bytes = (printable + Array(256..<256 + 256 - printable.count)).map {
      String(Character(Unicode.Scalar(UInt32($0))!))
    }
    let pairs = try String(contentsOf: merges, encoding: .utf8).split(separator: "\n").dropFirst()
    var symbols = bytes
    symbols += bytes.map { $0 + "</w>" }
    symbols += pairs.map { String($0.replacing(" ", with: "")) }
    symbols += ["<|startoftext|>", "<|endoftext|>"]
    let vocabulary = [String: Int](uniqueKeysWithValues: zip(symbols, 0..<symbols.count))
    try JSONEncoder().encode(vocabulary).write(to: tokenizer.appending(path: "vocab.json"))
  }

  /// Writes parts of the model at `folder` into one file.
  /// - Parameter name: of a tensor by `PART/NAME` as diffusers has it.
  public static func writeCheckpoint(
    _ parts: [String], of folder: URL, to path: URL, name: (String) -> String
  ) throws {
    var tensors: [String: Tensor] = [:]
    for part in parts {
      let stem = part == "text_encoder" ? "model" : "diffusion_pytorch_model"
      let file = folder.appending(path: "\(part)/\(stem).safetensors")
      for (own, tensor) in try SafetensorsData.read(Data(contentsOf: file)) {
        tensors[name("\(part)/\(own)")] = tensor
      }
    }
    try SafetensorsData.write(tensors).write(to: path)
  }
}
