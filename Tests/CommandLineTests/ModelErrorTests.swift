import FixtureSupport
import Foundation
import TensorCore
import Testing

@testable import tdm_filter

@Suite("A model that is missing or unfit")
struct ModelErrorTests {
  private static let weights = "unet/diffusion_pytorch_model.safetensors"

  /// Runs on a copy of a model after it was damaged.
  private func run(
    _ options: [String] = [], damage: (URL) throws -> Void
  ) throws -> FilterResult {
    try Fixture.thin.withCopy { folder in
      try damage(folder)
      return try FilterProcess.run(
        ["--model", folder.path] + Tiny.steps + options, input: Y4M().stream(frames: 1))
    }
  }

  private func expectRefusal(_ result: FilterResult, saying parts: [String]) {
    expectFailure(result, .unfitModel, saying: parts)
    #expect(result.output.isEmpty)
  }

  @Test("is refused where there is no such folder")
  func noFolder() throws {
    let result = try FilterProcess.run(
      ["--model", "/nowhere/at/all"], input: Y4M().stream(frames: 1))
    expectRefusal(result, saying: ["/nowhere/at/all"])
  }

  @Test(
    "is refused where a file is missing, by the file's name",
    arguments: [
      "unet/config.json", "vae/config.json", "controlnet/config.json",
      "scheduler/scheduler_config.json",
      "tokenizer/vocab.json", "unet/diffusion_pytorch_model.safetensors",
      "text_encoder/model.safetensors",
    ])
  func missingFile(path: String) throws {
    let result = try run { try FileManager.default.removeItem(at: $0.appending(path: path)) }
    expectRefusal(result, saying: [String(path.split(separator: ".")[0])])
  }

  @Test("is refused where a file is larger than any of its kind, before it is read")
  func hugeFiles() throws {
    for name in ["unet/config.json", "tokenizer/merges.txt"] {
      let result = try run {
        #expect(truncate($0.appending(path: name).path, 65 << 20) == 0)
      }
      expectRefusal(result, saying: [name, "64 MiB at most"])
    }
    // More than any memory holds, and none of it on the disk.
    let path = NSTemporaryDirectory() + "tdm-huge-\(UUID().uuidString).tdmpack"
    FileManager.default.createFile(atPath: path, contents: nil)
    defer { try? FileManager.default.removeItem(atPath: path) }
    #expect(truncate(path, 1 << 40) == 0)
    let result = try FilterProcess.run(["--model", path], input: Y4M().stream(frames: 1))
    expectRefusal(result, saying: [path, "expected a packed model"])
  }

  @Test("is refused where its levels would have pictures padded to thousands of pixels")
  func manyLevels() throws {
    let result = try run(["--control-scale", "0"]) { folder in
      let file = folder.appending(path: "unet/config.json")
      var config = try #require(
        JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
      config["block_out_channels"] = Array(repeating: 32, count: 16)
      config["down_block_types"] = Array(repeating: "DownBlock2D", count: 16)
      config["up_block_types"] = Array(repeating: "UpBlock2D", count: 16)
      try JSONSerialization.data(withJSONObject: config).write(to: file)
    }
    expectRefusal(result, saying: ["block_out_channels", "1024 at most"])
  }

  @Test("is refused where a tensor has another shape than the configuration asks for, with both")
  func wrongShape() throws {
    let result = try run { folder in
      try rewrite(folder) { tensors in
        tensors["conv_in.bias"] = tensors["conv_in.weight"]
      }
    }
    expectRefusal(result, saying: ["conv_in.bias", "32x6x3x3", "expected 32"])
  }

  @Test("is refused before the first frame where its networks give no finite numbers")
  func notFinite() throws {
    func broken(_ folder: URL) throws {
      try rewrite(folder) { tensors in
        let bias = tensors["conv_in.bias"]!
        tensors["conv_in.bias"] = Tensor(bias.shape, bias.elements.map { _ in .nan })
      }
    }
    let result = try run(damage: broken)
    expectRefusal(result, saying: ["before the first", "expected finite numbers"])
    let plan = try run(["--dry-run"], damage: broken)
    expectRefusal(plan, saying: ["before the first", "expected finite numbers"])
  }

  @Test("is refused where a tensor is missing, by its name")
  func missingTensor() throws {
    let result = try run { try rewrite($0) { $0["conv_out.bias"] = nil } }
    expectRefusal(result, saying: ["conv_out.bias"])
  }

  @Test("is refused where a tensor has no place in it, by its name")
  func unusedTensor() throws {
    let result = try run { try rewrite($0) { $0["conv_extra.bias"] = $0["conv_out.bias"] } }
    expectRefusal(result, saying: ["conv_extra.bias"])
  }

  @Test(
    "is refused where a safetensors file is corrupt",
    arguments: [
      "empty", "truncated", "header length", "no JSON", "offsets unlike shape", "overlap", "hole",
      "overflow",
      "many entries",
    ])
  func corrupt(kind: String) throws {
    let result = try run { folder in
      let file = folder.appending(path: Self.weights)
      try Self.corrupt(try Data(contentsOf: file), kind).write(to: file)
    }
    expectRefusal(result, saying: [Self.weights])
  }

  private func rewrite(_ folder: URL, _ change: (inout [String: Tensor]) -> Void) throws {
    try SafetensorsData.rewrite(folder.appending(path: Self.weights), change)
  }

  private static func corrupt(_ file: Data, _ kind: String) -> Data {
    func headed(_ json: String, body: Int) -> Data {
      var data = Data()
      withUnsafeBytes(of: UInt64(json.utf8.count).littleEndian) { data.append(contentsOf: $0) }
      return data + Data(json.utf8) + Data(count: body)
    }
    func entry(_ name: String, _ shape: String, _ from: Int, _ to: Int) -> String {
      "\"\(name)\":{\"dtype\":\"F32\",\"shape\":\(shape),\"data_offsets\":[\(from),\(to)]}"
    }
    switch kind {
    case "empty": return Data()
    case "truncated": return file.dropLast(100)
    case "header length": return Data(repeating: 0xff, count: 8) + file.dropFirst(8)
    case "no JSON": return headed("{\"a\": [1, 2", body: 8)
    case "offsets unlike shape": return headed("{\(entry("a", "[4]", 0, 8))}", body: 8)
    case "overlap":
      return headed("{\(entry("a", "[2]", 0, 8)),\(entry("b", "[2]", 4, 12))}", body: 12)
    case "hole":
      return headed("{\(entry("a", "[2]", 0, 8)),\(entry("b", "[2]", 12, 20))}", body: 20)
    case "overflow": return headed("{\(entry("a", "[4294967296, 4294967296, 4]", 0, 8))}", body: 8)
    default:
      let entries = (0..<100_000).map { entry("t\($0)", "[0]", 0, 0) }
      return headed("{" + entries.joined(separator: ",") + "}", body: 0)
    }
  }
}
