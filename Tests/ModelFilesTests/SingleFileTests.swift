import FixtureSupport
import TensorCore
import Testing

@testable import ModelFiles

@Suite("A checkpoint of a single file")
struct SingleFileTests {
  private let folder = TemporaryFolder()
  private let names = try! SingleFileFixture.names()
  private let shapes = try! SingleFileFixture.shapes()

  /// Tensors of zeros.
  private func entries(_ shapes: [String: [Int]]) -> [SafetensorsBuilder.Entry] {
    shapes.sorted { $0.key < $1.key }.map {
      SafetensorsBuilder.Entry(
        name: $0.key, dtype: "F16", shape: $0.value,
        bytes: [UInt8](repeating: 0, count: 2 * $0.value.reduce(1, *)))
    }
  }

  /// The shapes of some parts' tensors, by the names that they have in a single file.
  private func original(_ parts: [String]) -> [String: [Int]] {
    var found: [String: [Int]] = [:]
    for (name, shape) in shapes where parts.contains(where: { name.hasPrefix($0 + "/") }) {
      found[names[name]!] = shape
    }
    return found
  }

  private let model = ["unet", "vae", "text_encoder"]

  /// - Parameter metadata: members of a JSON object.
  private func write(
    _ shapes: [String: [Int]], to name: String = "x.safetensors",
    metadata: String = #""format":"pt""#
  ) -> String {
    folder.write(name, SafetensorsBuilder.file(entries(shapes), metadata: metadata))
  }

  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
    } catch { return "\(error)".replacing(folder.path + "/", with: "") }
    return ""
  }

  /// Takes every tensor of the part by diffusers' name.
  /// - Parameter tensors: of the file.
  private func takeAll(
    _ part: ModelPart, of model: ModelFolder, _ tensors: [StoredTensor],
    original: (String) -> String
  ) throws {
    let scope = try model.weights(of: part)
    let prefix = part.rawValue + "/"
    for (name, shape) in shapes where name.hasPrefix(prefix) {
      let tensor = try scope.tensor(String(name.dropFirst(prefix.count)), Shape(shape))
      let expected = try #require(tensors.first { $0.name == original(name) })
      #expect(tensor.range == expected.range, "\(name)")
    }
    try scope.finish()
  }

  private func tensors(_ path: String) throws -> [StoredTensor] {
    let file = try #require(try ReadFile.open(path))
    return try SafetensorsFile(StoredFile(file)).header.tensors
  }

  @Test("has each tensor where diffusers' converter finds it, and none that nothing asks for")
  func places() throws {
    var all = original(model + ["controlnet"])
    // What belongs to no network.
    all["model_ema.diffusion_modelinput_blocks00weight"] = [2]
    all["alphas_cumprod"] = [1000]
    all["first_stage_model.loss.logvar"] = [1]
    all["cond_stage_model.transformer.text_model.embeddings.position_ids"] = [1, 77]
    let path = write(all)
    let found = try ModelFolder(path: path)
    let tensors = try tensors(path)
    for part in [ModelPart.unet, .vae, .textEncoder, .controlnet] {
      try takeAll(part, of: found, tensors) { names[$0]! }
    }
    #expect(found.family == .stableDiffusion && !found.hasSeparateControlNet)
  }

  @Test("implies the configurations that diffusers writes")
  func configurations() throws {
    let found = try ModelFolder(path: write(original(model + ["controlnet"])))
    let expected = try ModelFolder(path: SingleFileFixture.configurations)
    #expect(try found.unetConfig() == expected.unetConfig())
    #expect(try found.controlNetConfig() == expected.controlNetConfig())
    #expect(try found.autoencoderConfig() == expected.autoencoderConfig())
    #expect(try found.textConfig() == expected.textConfig())
    #expect(try found.schedulerConfig() == expected.schedulerConfig())
    try found.requireFit(withControlNet: true)
  }

  @Test("says by tensors without elements, or by its metadata, what its U-Net was trained for")
  func markers() throws {
    var all = original(model)
    #expect(try ModelFolder(path: write(all)).schedulerConfig().predictionType == .epsilon)
    let path = write(all, metadata: #""modelspec.predict_key":"v""#)
    #expect(try ModelFolder(path: path).schedulerConfig().predictionType == .vPrediction)
    (all["v_pred"], all["ztsnr"]) = ([0], [0])
    let scheduler = try ModelFolder(path: write(all)).schedulerConfig()
    #expect(scheduler.predictionType == .vPrediction && scheduler.rescaleBetasZeroSNR)
  }

  @Test("has heads of 64 channels where attention begins with a matrix, as Stable Diffusion 2.x")
  func heads() throws {
    let linear = original(["controlnet"]).map { name, shape in
      (name, name.hasSuffix("proj_in.weight") ? Array(shape.prefix(2)) : shape)
    }
    let path = write(Dictionary(uniqueKeysWithValues: linear), to: "c.safetensors")
    let found = try ModelFolder(path: write(original(model)), controlNet: path).controlNetConfig()
    #expect(found.useLinearProjection && found.headCounts == [1, 1, 1])
  }

  @Test("may have an autoencoder whose attention some converters named as diffusers does")
  func attention() throws {
    let renamed = original(["vae"]).map { name, shape in
      (
        [("attn_1.q.", "attn_1.to_q."), ("attn_1.proj_out.", "attn_1.to_out.0.")].reduce(name) {
          $0.replacing($1.0, with: $1.1)
        }, shape
      )
    }
    var all = original(["unet", "text_encoder"])
    for (name, shape) in renamed { all[name] = shape }
    let scope = try ModelFolder(path: write(all)).weights(of: .vae)
    let width = try #require(shapes["vae/decoder.mid_block.attentions.0.to_q.weight"])
    for name in ["to_q", "to_out.0"] {
      _ = try scope.tensor("decoder.mid_block.attentions.0.\(name).weight", Shape(width))
    }
  }

  @Test("is read at once, however long its tensors' names are")
  func longNames() throws {
    var all = original(model)
    all["model.diffusion_model.input_blocks" + String(repeating: ".", count: 300_000)] = [1]
    #expect(try ModelFolder(path: write(all)).unetConfig().blockOutChannels == [32, 64, 64])
  }

  @Test("has CLIP's tokenizer")
  func tokenizer() throws {
    let tokenizer = try ModelFolder(path: write(original(model))).tokenizer(length: 77)
    #expect(tokenizer.largestID == 49407)
    let rows = try SingleFileFixture.tokens()
    #expect(rows.count > 5)
    for row in rows { #expect(tokenizer.encode(row.prompt) == row.ids, "\(row.prompt)") }
  }

  @Test("may be a ControlNet, under the original names with and without prefix, or diffusers'")
  func controlNets() throws {
    let path = write(original(model), to: "model.safetensors")
    let prefix = "control_model."
    for name: (String) -> String in [
      { names[$0]! }, { String(names[$0]!.dropFirst(prefix.count)) },
      { String($0.dropFirst("controlnet/".count)) },
    ] {
      let own = shapes.filter { $0.key.hasPrefix("controlnet/") }
      let control = write(
        Dictionary(uniqueKeysWithValues: own.map { (name($0.key), $0.value) }), to: "c.safetensors")
      let found = try ModelFolder(path: path, controlNet: control)
      try found.requireFit(withControlNet: true)
      try takeAll(.controlnet, of: found, tensors(control), original: name)
      #expect(found.hasSeparateControlNet)
    }
  }

  @Test("is refused where it is something else, and told what")
  func refusals() throws {
    func refusal(_ shapes: [String: [Int]]) -> String {
      message { _ = try ModelFolder(path: write(shapes)) }
    }
    #expect(
      refusal(original(["unet", "vae"])).contains("cond_stage_model.transformer.…, found none"))
    #expect(
      refusal(original(["unet"])).contains("first_stage_model.…, found none: give a checkpoint"))
    #expect(
      refusal(original(["controlnet"])).contains("found a ControlNet: give it by --controlnet"))
    #expect(
      refusal(["lora_unet_down.alpha": [1]]).contains(
        "model.diffusion_model.…, found only \"lora_unet_down.alpha\""))
    for other in [
      "conditioner.embedders.0.x", "cond_stage_model.model.x", "double_blocks.0.x",
      "model.diffusion_model.joint_blocks.0.x", "model.diffusion_model.label_emb.0.0.weight",
    ] {
      var shapes = original(["unet", "vae"])
      shapes[other] = [1]
      #expect(refusal(shapes).contains("of another class"), "\(other)")
    }
    var inpainting = original(model)
    inpainting["model.diffusion_model.input_blocks.0.0.weight"]![1] = 9
    #expect(
      message {
        try ModelFolder(path: write(inpainting)).requireFit(withControlNet: false)
      }.contains("in_channels: expected 4, found 9, a mask and a second latent, for inpainting"))
    #expect(
      message {
        _ = try ModelFolder(path: folder.write("p.safetensors", "version https://git-lfs"))
      }
      .contains("found a pointer of Git LFS"))
    let path = write(original(model))
    #expect(
      message { _ = try ModelFolder(path: path, controlNet: path) }.contains(
        "control_model.…, found"))
  }

  @Test("is refused as a ControlNet where something is known that no shape tells")
  func unfitControlNets() throws {
    func refusal(_ name: String, _ shapes: [String: [Int]]) -> String {
      let path = write(shapes, to: name)
      return message { _ = try ModelFolder(path: write(original(model)), controlNet: path) }
    }
    let own = original(["controlnet"])
    #expect(refusal("c.safetensors", own) == "")
    #expect(
      refusal("c.safetensors", own.merging(["difference": []]) { $1 }).contains(
        "found what they differ by"))
    #expect(refusal("control_shuffle_fp16.safetensors", own).contains("conditions are pooled"))
    let diffusers = shapes.filter { $0.key.hasPrefix("controlnet/") }.map {
      (String($0.key.dropFirst("controlnet/".count)), $0.value)
    }
    let named = Dictionary(uniqueKeysWithValues: diffusers)
    #expect(refusal("c/weights.safetensors", named) == "")
    folder.write("c/config.json", "{}")
    #expect(refusal("c/weights.safetensors", named).contains("a config.json beside it"))
    // It belongs to no original ControlNet.
    #expect(refusal("c/weights.safetensors", own) == "")
  }

  @Test("is refused by the tensor's own name where one is missing, misshapen or too many")
  func tensors() throws {
    let name = "model.diffusion_model.input_blocks.1.0.in_layers.2.weight"
    let own = "down_blocks.0.resnets.0.conv1.weight"
    func refusal(_ change: (inout [String: [Int]]) -> Void) -> String {
      var all = original(model)
      change(&all)
      let path = write(all)
      return message {
        let scope = try ModelFolder(path: path).weights(of: .unet)
        _ = try scope.tensor(own, [32, 32, 3, 3])
        try takeAll(.unet, of: ModelFolder(path: path), tensors(path)) { names[$0]! }
      }
    }
    #expect(refusal { $0[name] = nil }.contains(own))
    #expect(refusal { $0[name] = [32, 32, 1, 1] }.contains("\(name.quoted) has shape"))
    #expect(
      refusal { $0["model.diffusion_model.label_emb.0.0.weight"] = [1] }
        .contains("no place in the network: \"model.diffusion_model.label_emb.0.0.weight\""))
  }
}
