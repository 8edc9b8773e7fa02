import FixtureSupport
import Foundation
import TensorCore
import Testing

@testable import ModelFiles

@Suite("A model's folder")
struct ModelFolderTests {
  private let folder = TemporaryFolder()

  /// Copies the configurations of one of the fixtures' models.
  private func copyConfigs(_ shape: String, _ parts: [String], to target: String = "") {
    for part in parts {
      let name = part == "scheduler" ? "scheduler_config.json" : "config.json"
      folder.write(target + part + "/" + name, Fixtures.bytes("\(shape)/\(part)/\(name)"))
    }
  }

  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
    } catch { return "\(error)".replacingOccurrences(of: folder.path + "/", with: "") }
    return ""
  }

  private func model(_ controlNet: String? = nil) throws -> ModelFolder {
    try ModelFolder(path: folder.path, controlNet: controlNet.map { "\(folder.path)/\($0)" })
  }

  private let weights = SafetensorsBuilder.file([
    SafetensorsBuilder.f32("a", [2]), SafetensorsBuilder.f32("b", [3]),
  ])

  @Test("a place without a model is refused, saying what belongs there")
  func nothing() {
    #expect(message { _ = try model() }.contains("expected a model's folder"))
    folder.write("part/config.json", #"{"_class_name": "ControlNetModel"}"#)
    folder.write("parts/config.json", #"{"_class_name": "UNet2DConditionModel"}"#)
    folder.write("files/sd.safetensors", "")
    for (name, found) in [
      ("part", "found a ControlNet: give it by --controlnet"),
      ("parts", "found a part of one (\"UNet2DConditionModel\"): give the folder around it"),
      ("files", "found checkpoints: give one of them, as files/sd.safetensors"),
    ] {
      #expect(message { _ = try ModelFolder(path: folder.path + "/" + name) }.contains(found))
    }
    #expect(
      message { _ = try ModelFolder(path: folder.path + "/x") }
        .hasPrefix("x: no such file or folder"))
    #expect(message { _ = try ModelFolder(path: "/dev/null") }.contains("expected a file, found"))
  }

  @Test("a missing part is an error that names the file")
  func missingParts() throws {
    copyConfigs("small", ["unet", "vae"])
    let model = try model()
    #expect(message { _ = try model.textConfig() }.hasPrefix("text_encoder/config.json: missing"))
    #expect(
      message { _ = try model.tokenizer(length: 77) }.hasPrefix("tokenizer/vocab.json: missing"))
    #expect(
      message { _ = try model.schedulerConfig() }.hasPrefix(
        "scheduler/scheduler_config.json: missing"))
    #expect(message { _ = try model.controlNetConfig() }.contains("the model has no ControlNet"))
    #expect(model.hasPart(.unet) && !model.hasPart(.controlnet))
    #expect(
      message { _ = try model.weights(of: .unet) }
        .hasPrefix("unet/diffusion_pytorch_model.safetensors: missing"))
  }

  @Test("a model may hold others")
  func inner() throws {
    copyConfigs("small", ["unet"])
    let whole = try model()
    #expect(message { _ = try whole.inner("fast") }.hasPrefix("fast: expected a model's folder"))
    copyConfigs("wide", ["unet"], to: "superres/")
    folder.write("superres/model_index.json", Array("{}".utf8))
    let own = try model().inner("superres")
    #expect(own.name == whole.name + "/superres" && own.hasPart(.unet) && !own.hasPart(.vae))
    #expect(try own.unetConfig() != whole.unetConfig())
    #expect(
      message { _ = try own.textConfig() }.hasPrefix("superres/text_encoder/config.json: missing"))
  }

  @Test("what was opened can be used when it is no longer there")
  func opened() throws {
    copyConfigs("small", ["unet", "text_encoder"])
    folder.write("unet/diffusion_pytorch_model.safetensors", weights)
    folder.write("text_encoder/model.safetensors", weights)
    let (opened, other) = (try model(), try model())
    opened.openFiles()
    try FileManager.default.removeItem(atPath: folder.path)
    #expect(try opened.weights(of: .textEncoder).optional("a", [2]) != nil)
    #expect(try opened.weights(of: .unet).unused == ["a", "b"])
    #expect(message { _ = try other.weights(of: .unet) }.contains("missing"))
  }

  @Test("weights are found in one file, full precision before half")
  func singleFile() throws {
    copyConfigs("small", ["unet", "text_encoder"])
    folder.write("unet/diffusion_pytorch_model.fp16.safetensors", weights)
    folder.write("text_encoder/model.safetensors", weights)
    let model = try model()
    #expect(try model.weights(of: .unet).unused == ["a", "b"])
    #expect(try model.weights(of: .textEncoder).optional("a", [2]) != nil)
    folder.write(
      "unet/diffusion_pytorch_model.safetensors",
      SafetensorsBuilder.file([SafetensorsBuilder.f32("c", [1])]))
    #expect(try self.model().weights(of: .unet).unused == ["c"])
    // What was not there when it was asked for stays so.
    #expect(try model.weights(of: .unet).unused == ["a", "b"])
  }

  @Test("of shards and one file each library's choice is taken, and full precision before half")
  func preference() throws {
    copyConfigs("small", ["unet", "text_encoder"])
    for (stem, part) in [
      ("unet/diffusion_pytorch_model", ModelPart.unet), ("text_encoder/model", .textEncoder),
    ] {
      folder.write("\(part.rawValue)/x.safetensors", weights)
      folder.write(
        "\(stem).fp16.safetensors", SafetensorsBuilder.file([SafetensorsBuilder.f32("c", [1])]))
      folder.write(
        "\(stem).safetensors.index.json",
        #"{"weight_map": {"a": "x.safetensors", "b": "x.safetensors"}}"#)
      #expect(try model().weights(of: part).unused == ["a", "b"])
      folder.write(
        "\(stem).safetensors", SafetensorsBuilder.file([SafetensorsBuilder.f32("d", [1])]))
      #expect(try model().weights(of: part).unused == (part == .unet ? ["a", "b"] : ["d"]))
    }
  }

  @Test("pickled weights are never opened, and said to be there")
  func pickle() throws {
    copyConfigs("small", ["unet"])
    folder.write("unet/diffusion_pytorch_model.bin", "a pickle")
    let message = message { _ = try model().weights(of: .unet) }
    #expect(message.contains("\"diffusion_pytorch_model.bin\" beside it is never opened"))
  }

  @Test("a variant that is not looked for is said to be there")
  func variant() throws {
    copyConfigs("small", ["unet"])
    folder.write("unet/diffusion_pytorch_model.bf16.safetensors", weights)
    let message = message { _ = try model().weights(of: .unet) }
    #expect(message.contains("not \"diffusion_pytorch_model.bf16.safetensors\""), "\(message)")
  }

  @Test("shards are found by their index, in each of its spellings")
  func shards() throws {
    for index in ["safetensors.index", "safetensors.index.fp16", "fp16.safetensors.index"] {
      let folder = TemporaryFolder()
      folder.write("unet/config.json", Fixtures.bytes("small/unet/config.json"))
      folder.write(
        "unet/diffusion_pytorch_model.\(index).json",
        #"{"metadata":{"total_size":20},"weight_map":{"a":"x-1.safetensors","b":"x-1.safetensors","c":"x-2.safetensors"}}"#
      )
      folder.write("unet/x-1.safetensors", weights)
      folder.write(
        "unet/x-2.safetensors", SafetensorsBuilder.file([SafetensorsBuilder.f32("c", [4])]))
      let scope = try ModelFolder(path: folder.path).weights(of: .unet)
      #expect(try scope.tensor("b", [3]).shape == [3])
      #expect(try scope.tensor("c", [4]).shape == [4])
      #expect(scope.unused == ["a"])
    }
  }

  @Test(
    "an index that does not describe its shards is refused",
    arguments: [
      (#"{}"#, "expected an object weight_map"),
      (#"{"weight_map":{"a":1}}"#, "found 1"),
      (
        #"{"weight_map":{"a":"../x.safetensors"}}"#,
        "expected a .safetensors file of the same folder"
      ),
      (#"{"weight_map":{"a":"x.bin"}}"#, "expected a .safetensors file of the same folder"),
      (#"{"weight_map":{"a":"x.safetensors"}}"#, "tensor \"b\": expected in no file"),
      (
        #"{"weight_map":{"a":"y.safetensors","b":"x.safetensors"}}"#,
        "expected in \"y.safetensors\""
      ),
      (
        #"{"weight_map":{"a":"x.safetensors","b":"x.safetensors","c":"x.safetensors"}}"#,
        "tensor \"c\" is missing from \"x.safetensors\""
      ),
      (
        #"{"weight_map":{"a":"x.safetensors","b":"x.safetensors","c":"z.safetensors"}}"#,
        "z.safetensors: missing"
      ),
    ])
  func badIndex(_ index: String, _ reason: String) throws {
    copyConfigs("small", ["unet"])
    folder.write("unet/diffusion_pytorch_model.safetensors.index.json", index)
    folder.write("unet/x.safetensors", weights)
    folder.write("unet/y.safetensors", SafetensorsBuilder.file([SafetensorsBuilder.f32("q", [1])]))
    let message = message { _ = try model().weights(of: .unet) }
    #expect(message.contains(reason), "\(message)")
  }

  @Test("a ControlNet may lie in its own folder, alone or within a model")
  func ownControlNet() throws {
    copyConfigs("small", ["unet"])
    folder.write("steer/config.json", Fixtures.bytes("wide/controlnet/config.json"))
    folder.write("steer/diffusion_pytorch_model.safetensors", weights)
    copyConfigs("thin", ["controlnet"], to: "other/")
    #expect(try model("steer").controlNetConfig().blockOutChannels == [32, 32, 64, 64])
    #expect(try model("steer").weights(of: .controlnet).unused == ["a", "b"])
    #expect(try model("other/").controlNetConfig().blockOutChannels == [32, 64])
    #expect(message { _ = try model("none") }.hasPrefix("none: no such file or folder"))
  }

  @Test("classes that cannot be run are refused where the index or a configuration names them")
  func classes() throws {
    copyConfigs("small", ["unet"])
    folder.write("vae/config.json", #"{"_class_name": "VQModel"}"#)
    folder.write(
      "model_index.json",
      #"{"_class_name":"X","unet":["diffusers","UNet3DConditionModel"],"safety_checker":[null,null]}"#
    )
    let model = try model()
    #expect(
      message { _ = try model.unetConfig() }
        .contains(
          "model_index.json: unet: expected UNet2DConditionModel, found \"UNet3DConditionModel\""))
    #expect(message { _ = try model.autoencoderConfig() }.contains("found \"VQModel\""))
  }

  @Test("a configuration that is no JSON object is refused with its place")
  func badJSON() throws {
    folder.write("unet/config.json", "{\"in_channels\": 4,}")
    folder.write("vae/config.json", "[]")
    let model = try model()
    #expect(message { _ = try model.unetConfig() }.hasPrefix("unet/config.json: not valid JSON"))
    #expect(
      message { _ = try model.autoencoderConfig() }
        .hasPrefix("vae/config.json: expected a JSON object, found []"))
  }

  @Test("the embedded model is read, or said to be missing from this program")
  func embedded() {
    let message = message {
      let model = try ModelFolder.embedded()
      try model.requireFit(withControlNet: true)
      // Its autoencoder is a Haar transform, which has no weights.
      for part in [ModelPart.unet, .controlnet, .textEncoder] {
        #expect(try !model.weights(of: part).unused.isEmpty)
      }
      #expect(try model.tokenizer(length: 77).length == 77)
    }
    #expect(message == "" || message.contains("built without one"), "\(message)")
  }

  @Test("parts of one model fit", arguments: ["small", "wide", "thin", "sd15"])
  func fit(_ shape: String) throws {
    try ModelFolder(path: "\(Fixtures.path)/\(shape)").requireFit(withControlNet: true)
  }

  @Test(
    "parts of different models are refused by the option in which they differ",
    arguments: [
      (
        "vae", "wide", "unet/config.json: out_channels: expected 8, latent_channels of vae, found 4"
      ),
      ("text_encoder", "wide", "text_encoder/config.json: hidden_size: expected 32"),
      ("controlnet", "wide", "controlnet/config.json: in_channels: expected 4"),
      ("controlnet", "sd15", "controlnet/config.json: block_out_channels: expected [32, 64, 64]"),
    ])
  func unfit(_ part: String, _ other: String, _ reason: String) throws {
    copyConfigs("small", ["unet", "vae", "text_encoder", "controlnet"])
    copyConfigs(other, [part])
    let message = message { try model().requireFit(withControlNet: true) }
    #expect(message.hasPrefix(reason), "\(message)")
    if part == "controlnet" { try model().requireFit(withControlNet: false) }
  }

  @Test("a part's weights that are asked for again are the same storage")
  func sameStorage() throws {
    copyConfigs("small", ["unet"])
    folder.write("unet/diffusion_pytorch_model.safetensors", weights)
    let model = try model()
    let storages = try (0..<2).map { _ in try model.weights(of: .unet).tensor("a", [2]).storage }
    #expect(storages[0] === storages[1])
  }

  @Test("a file's bytes are read piece by piece, and one that has shrunk since is an error")
  func pieces() throws {
    let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    let path = folder.write("f", bytes)
    let file = try #require(try ReadFile.open(path))
    for range in [0..<100_000, 5..<5, 10..<20, 4096..<8192, 99_999..<100_000] {
      #expect(try file.withBytes(in: range) { Array($0) } == Array(bytes[range]))
    }
    #expect(truncate(path, 5000) == 0)
    #expect(try file.withBytes(in: 0..<5000) { $0.count } == 5000)
    let error = #expect(throws: StorageError.self) { try file.withBytes(in: 4096..<8192) { _ in } }
    #expect(error?.description.hasPrefix("\(path): ends at byte 5000, expected 100000") == true)
    let empty = try #require(try ReadFile.open(folder.write("e", "")))
    #expect(try empty.byteCount == 0 && empty.withBytes(in: 0..<0) { $0.count } == 0)
  }
}
