import FixtureSupport
import TensorCore
import Testing

@testable import ModelFiles

@Suite("Walking a checkpoint")
struct WeightScopeTests {
  private func scope(
    _ part: ModelPart, _ entries: [SafetensorsBuilder.Entry]
  ) throws -> WeightScope {
    let folder = TemporaryFolder()
    let path = folder.write("weights.safetensors", SafetensorsBuilder.file(entries))
    let mapped = try #require(try ReadFile.open(path))
    let file = try SafetensorsFile(
      StoredFile(name: "weights.safetensors", storage: mapped, range: 0..<mapped.byteCount))
    return WeightScope(checkpoint: try Checkpoint(part: part, place: file.name, files: [file]))
  }

  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
    } catch { return "\(error)" }
    return ""
  }

  @Test("a tensor is found by the path to it, with its bytes and its full name")
  func nesting() throws {
    let unet = try scope(
      .unet,
      [
        .init(name: "down_blocks.0.conv1.weight", shape: [1], bytes: [0, 0, 128, 63])
      ])
    let block = unet["down_blocks", 0]
    #expect(block.path == "unet/down_blocks.0")
    let tensor = try block["conv1"].tensor("weight", [1])
    #expect(tensor.name == "unet/down_blocks.0.conv1.weight")
    #expect(tensor.elementType == .f32 && tensor.shape == [1])
    #expect(
      try tensor.storage.withBytes(in: tensor.range) { $0.loadUnaligned(as: Float.self) } == 1)
    try unet.finish()
  }

  @Test("a missing tensor and a wrong shape are errors that name the tensor and both shapes")
  func unfit() throws {
    let unet = try scope(.unet, [SafetensorsBuilder.f32("conv_in.weight", [2, 3])])
    let missing = message { _ = try unet["conv_out"].tensor("weight", [4, 4, 3, 3]) }
    #expect(missing.contains("weights.safetensors: tensor \"conv_out.weight\" is missing"))
    #expect(missing.contains("4x4x3x3"))
    let wrong = message { _ = try unet["conv_in"].tensor("weight", [3, 2]) }
    #expect(wrong.contains("\"conv_in.weight\" has shape 2x3, expected 3x2"))
    #expect(message { _ = try unet["conv_in"].optional("weight", [6]) }.contains("2x3"))
    #expect(try unet["conv_in"].optional("bias", [2]) == nil)
  }

  @Test("a matrix and a 1x1 convolution stand for each other")
  func matrices() throws {
    let unet = try scope(
      .unet,
      [
        SafetensorsBuilder.f32("a", [2, 3]), SafetensorsBuilder.f32("b", [2, 3, 1, 1]),
      ])
    #expect(try unet.tensor("a", [2, 3, 1, 1]).shape == [2, 3, 1, 1])
    #expect(try unet.tensor("b", [2, 3]).shape == [2, 3])
    #expect(message { _ = try unet.tensor("b", [3, 2]) }.contains("2x3x1x1"))
    #expect(message { _ = try unet.tensor("b", [6]) }.contains("expected 6"))
  }

  @Test("tensors that nobody asked for are refused by name, the first three of many")
  func unused() throws {
    let unet = try scope(.unet, ["e", "d", "c", "b", "a"].map { SafetensorsBuilder.f32($0, [1]) })
    _ = try unet.tensor("c", [1])
    #expect(unet["below"].unused == ["a", "b", "d", "e"])
    let message = message { try unet.finish() }
    #expect(message.contains("4 tensors") && message.contains("\"a\", \"b\", \"d\", ..."))
  }

  @Test("integers are listed but cannot be had as weights, and position_ids may stay unused")
  func integers() throws {
    let ids = SafetensorsBuilder.Entry(
      name: "text_model.embeddings.position_ids", dtype: "I64", shape: [1, 2],
      bytes: Array(repeating: 0, count: 16))
    let text = try scope(.textEncoder, [ids])
    try text.finish()
    #expect(message { _ = try text.tensor("embeddings.position_ids", [1, 2]) }.contains("is I64"))
    let unet = try scope(.unet, [ids])
    #expect(message { try unet.finish() }.contains("position_ids"))
  }

  @Test("CLIP's names are found with and without text_model, however they were saved")
  func textModelPrefix() throws {
    for saved in ["text_model.final_layer_norm.weight", "final_layer_norm.weight"] {
      for asked in ["text_model.final_layer_norm", "final_layer_norm"] {
        let text = try scope(.textEncoder, [SafetensorsBuilder.f32(saved, [4])])
        #expect(try text[asked].tensor("weight", [4]).name == "text_encoder/" + saved)
        try text.finish()
      }
    }
  }

  @Test("an autoencoder's old attention names stand for the new ones, convolutions for matrices")
  func oldAttention() throws {
    let prefix = "encoder.mid_block.attentions.0"
    let vae = try scope(
      .vae,
      ["query", "key", "value", "proj_attn"].flatMap {
        [
          SafetensorsBuilder.f32("\(prefix).\($0).weight", [2, 2, 1, 1]),
          SafetensorsBuilder.f32("\(prefix).\($0).bias", [2]),
        ]
      })
    for name in ["to_q", "to_k", "to_v", "to_out.0"] {
      _ = try vae[prefix][name].tensor("weight", [2, 2])
      _ = try vae[prefix][name].tensor("bias", [2])
    }
    try vae.finish()
  }

  @Test("one tensor under its old and its new name is refused")
  func aliases() throws {
    let message = message {
      _ = try scope(
        .textEncoder,
        [
          SafetensorsBuilder.f32("a.weight", [1]),
          SafetensorsBuilder.f32("text_model.a.weight", [1]),
        ])
    }
    #expect(message.contains("is there twice"))
  }
}
