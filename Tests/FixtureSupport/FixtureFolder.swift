import Foundation
import Synchronization
import TensorCore

/// A folder of `Tests/Fixtures` with a model, how its weights are made, and what the reference
/// computes with it.
public struct FixtureFolder: Sendable {
  static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures")
  private static let written = Mutex<[String: String]>([:])

  /// A CogVideoX model, for zero-shot deraining. `Tests/Fixtures/make_video.py` makes it, and says
  /// what its networks were given.
  public static let video = FixtureFolder(name: "video")

  let name: String

  var folder: URL { Self.root.appending(path: name) }

  func data(_ file: String) throws -> Data { try Data(contentsOf: folder.appending(path: file)) }

  public func networks() throws -> [String: Tensor] {
    try SafetensorsData.read(data("networks.safetensors"))
  }

  public func cases() throws -> [PipelineCase] {
    try JSONDecoder().decode(CaseList.self, from: data("cases.json")).cases.map {
      PipelineCase(name: $0.name, options: $0.options, tensorFiles: $0.tensors, folder: folder)
    }
  }

  /// The model as diffusers writes it, in the temporary directory until the program ends.
  public func modelFolder() throws -> String {
    try Self.written.withLock { written in
      if let path = written[name] { return path }
      if written.isEmpty { atexit { FixtureFolder.removeAll() } }
      let path = FileManager.default.temporaryDirectory
        .appending(path: "tdm-fixture-\(getpid())-\(name)")
      try writeModel(to: path)
      written[name] = path.path
      return path.path
    }
  }

  func writeModel(to path: URL) throws {
    let files = FileManager.default
    try? files.removeItem(at: path)
    try files.copyItem(at: folder.appending(path: "model"), to: path)
    let tokenizer = path.appending(path: "tokenizer")
    if !files.fileExists(atPath: tokenizer.path) {
      // The same for all models that have none of their own here.
      try files.copyItem(at: Self.root.appending(path: "tokenizer"), to: tokenizer)
    }
    let table = try JSONDecoder().decode(
      [String: WeightRecipe].self, from: data("weights.json"))
    for (part, names) in Dictionary(grouping: table.keys, by: { $0.prefix { $0 != "/" } }) {
      let tensors = names.map {
        (String($0.dropFirst(part.count + 1)), table[$0]!.tensor(named: $0))
      }
      let file = part == "text_encoder" ? "model" : "diffusion_pytorch_model"
      try SafetensorsData.write(Dictionary(uniqueKeysWithValues: tensors))
        .write(to: path.appending(path: "\(part)/\(file).safetensors"))
    }
  }

  private static func removeAll() {
    written.withLock { written in
      for path in written.values { try? FileManager.default.removeItem(atPath: path) }
      written = [:]
    }
  }

  struct CaseList: Decodable {
    struct Case: Decodable {
      var name: String
      var options: [String]
      var tensors: [String: String]
    }
    var width, height, frames: Int
    var cases: [Case]
  }
}

/// A line of `weights.json`: [shape, standard deviation, mean].
struct WeightRecipe: Decodable {
  let shape: Shape
  private let deviation, mean: Float

  init(from decoder: any Decoder) throws {
    var fields = try decoder.unkeyedContainer()
    shape = Shape(try fields.decode([Int].self))
    deviation = try fields.decode(Float.self)
    mean = try fields.decode(Float.self)
  }

  func tensor(named name: String) -> Tensor {
    let normals = seededNormals(seed: seed(of: name), count: shape.count)
    return Tensor(shape, normals.map { mean + deviation * $0 })
  }
}
