import FixtureSupport
import Foundation
import ModelFiles
import Networks
import TensorCore
import Testing

/// Models whose parts do not belong together are refused, by the name of what is wrong.
@Suite struct RefusalTests {
  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "nothing was thrown"
    } catch { return "\(error)" }
  }

  private func replace(_ old: String, by new: String, in file: URL) throws {
    let text = try String(contentsOf: file, encoding: .utf8)
    try #require(text.contains(old))
    try text.replacingOccurrences(of: old, with: new)
      .write(to: file, atomically: true, encoding: .utf8)
  }

  @Test func `every fixture's parts fit`() throws {
    for fixture in Fixture.allCases {
      try ModelFolder(path: fixture.modelFolder()).requireFit(withControlNet: true)
    }
  }

  @Test(arguments: [
    ("unet", "\"cross_attention_dim\": 32", "\"cross_attention_dim\": 48", "hidden_size"),
    ("unet", "\"out_channels\": 4", "\"out_channels\": 8", "out_channels"),
    ("vae", "\"latent_channels\": 4", "\"latent_channels\": 8", "unet/config.json: out_channels"),
    (
      "unet", "\"in_channels\": 4", "\"in_channels\": 7", "latent_channels of vae, or twice as many"
    ),
    ("unet", "\"in_channels\": 4", "\"in_channels\": 8", "controlnet/config.json: in_channels"),
    ("controlnet", "\"layers_per_block\": 1", "\"layers_per_block\": 2", "layers_per_block"),
    ("controlnet", "\"conditioning_channels\": 3", "\"conditioning_channels\": 1", "a picture's"),
  ])
  func `parts of different models are refused`(
    part: String, old: String, new: String, expected: String
  ) throws {
    try Fixture.small.withCopy { path in
      try replace(old, by: new, in: path.appending(path: "\(part)/config.json"))
      let found = message {
        try ModelFolder(path: path.path).requireFit(withControlNet: true)
      }
      #expect(
        found.contains(expected) && found.contains("the parts are of different models"), "\(found)")
    }
  }

  @Test func `a window at the input is refused where two latents are read`() throws {
    try Fixture.haar.withCopy { path in
      let file = path.appending(path: "unet/config.json")
      try replace("\"in_channels\": 12", by: "\"in_channels\": 24", in: file)
      let found = message {
        try ModelFolder(path: path.path).requireFit(withControlNet: false)
      }
      #expect(
        found.contains(
          "unet/config.json: window_input: expected 0 with in_channels 24, found 2: such models cannot be run"
        ), "\(found)")
    }
  }

  @Test func `pictures in the order blue, green, red are refused where there are two`() throws {
    try Fixture.small.withCopy { path in
      let file = path.appending(path: "controlnet/config.json")
      try replace("\"conditioning_channels\": 3", by: "\"conditioning_channels\": 6", in: file)
      try ModelFolder(path: path.path).requireFit(withControlNet: true)
      try replace(
        "\"controlnet_conditioning_channel_order\": \"rgb\"",
        by: "\"controlnet_conditioning_channel_order\": \"bgr\"", in: file)
      let found = message {
        try ModelFolder(path: path.path).requireFit(withControlNet: true)
      }
      #expect(
        found.contains(
          "expected rgb with 6 conditioning_channels, found bgr: such models cannot be run"),
        "\(found)")
    }
  }

  @Test func `a condition that ends at another size than the latent is refused`() throws {
    try Fixture.small.withCopy { path in
      let file = path.appending(path: "controlnet/config.json")
      let text = try String(contentsOf: file, encoding: .utf8)
      var object =
        try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] ?? [:]
      object["conditioning_embedding_out_channels"] = [8, 16]
      try JSONSerialization.data(withJSONObject: object).write(to: file)
      let found = message {
        try ModelFolder(path: path.path).requireFit(withControlNet: true)
      }
      #expect(
        found.contains("expected 3, the autoencoder's number of resolutions, found 2"), "\(found)")
    }
  }

  @Test func `weights of another shape, too many or too few are refused by name`() throws {
    func unet(_ change: (inout [String: Tensor]) -> Void) throws -> String {
      try Fixture.thin.withCopy { path in
        try SafetensorsData.rewrite(
          path.appending(path: "unet/diffusion_pytorch_model.safetensors"), change)
        return message { _ = try UNet2DConditionModel(ModelFolder(path: path.path)) }
      }
    }
    let name = "up_blocks.0.attentions.1.transformer_blocks.0.ff.net.0.proj.weight"
    #expect(try unet { $0[name] = nil }.contains(name))
    #expect(try unet { $0[name] = Tensor([3, 3]) }.contains(name))
    #expect(try unet { $0["another.weight"] = Tensor([2]) }.contains("another.weight"))
    #expect(try unet { _ in } == "nothing was thrown")
    // Of a distilled model that can be told its guidance: left unused, as diffusers leaves it where
    // nobody tells.
    #expect(
      try unet { $0["time_embedding.cond_proj.weight"] = Tensor([32, 256]) } == "nothing was thrown"
    )
  }
}
