import FixtureSupport
import Kernels
import ModelFiles
import TensorCore
import Testing

@testable import Networks

@Suite("CogVideoX's networks give what diffusers' give")
struct VideoNetworkTests {
  private let model: ModelFolder
  private let expected: [String: Tensor]

  init() throws {
    model = try ModelFolder(path: FixtureFolder.video.modelFolder())
    expected = try FixtureFolder.video.networks()
  }

  /// Shares of the largest number: float32 agrees up to the order of sums.
  private func expectClose(
    _ found: [Float], _ name: String, within share: Float,
    _ location: SourceLocation = #_sourceLocation
  ) throws {
    let wanted = try #require(expected[name]).elements
    try #require(found.count == wanted.count, sourceLocation: location)
    let largest = wanted.reduce(0) { max($0, abs($1)) }
    let error = zip(found, wanted).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
    #expect(error <= share * largest, "\(name): \(error) of \(largest)", sourceLocation: location)
  }

  @Test("T5, in float32 and bfloat16", arguments: [(Precision.f32, Float(1e-5)), (.bf16, 0.05)])
  func text(precision: Precision, share: Float) throws {
    let ids = try #require(expected["token_ids"])
    let count = ids.shape[1]
    let tokenizer = try model.t5Tokenizer(length: count)
    let prompts = [
      "heavy rain, light rain, drizzle, sprinkle, shower, raindrops, rainstorm, streak", "",
    ]
    let tokens = prompts.map { tokenizer.encode($0) }
    #expect(tokens.flatMap { $0.map { Float($0) } } == ids.elements)
    let features = try T5TextEncoder(T5EncoderModel(model)).encode(
      tokens, on: CPUDevice(precision: precision))
    try expectClose(features.flatMap(\.elements), "texts", within: share)
  }

  @Test(
    "the autoencoder, chunk by chunk",
    arguments: [("long", 21), ("short", 9)],
    [(Precision.f32, Float(2e-5)), (.bf16, 0.05)])
  func autoencoder(clip: (name: String, frames: Int), precision: (Precision, share: Float)) throws {
    let coders = VideoCoders(
      try AutoencoderKLCogVideoX(model), height: 32, width: 16,
      on: try CPUDevice(precision: precision.0))
    let frame = 32 * 16 * 3
    let pictures = seededNormals(seed: UInt64(clip.frames), count: clip.frames * frame).map {
      min(max(0.5 * $0, -1), 1)
    }
    var chunks = 0
    let latent = try coders.encode(
      frames: clip.frames,
      { Array(pictures[$0.lowerBound * frame..<$0.upperBound * frame]) }, step: { chunks += 1 })
    #expect(chunks == (clip.frames == 21 ? 2 : 1))
    try expectClose(latent, "\(clip.name).latent", within: precision.share)
    var decoded: [Float] = []
    try coders.decode(try #require(expected["\(clip.name).latent"]).elements) { first, part in
      #expect(first == decoded.count / frame)
      decoded += part
    }
    try expectClose(decoded, "\(clip.name).decoded", within: precision.share)
    // Another clip begins anew.
    let again = try coders.encode(
      frames: clip.frames,
      { Array(pictures[$0.lowerBound * frame..<$0.upperBound * frame]) }, step: {})
    #expect(again == latent)
  }

  @Test(
    "the transformer, with attention switching and without",
    arguments: [(Precision.f32, Float(1e-5)), (.bf16, 0.05)])
  func transformer(precision: Precision, share: Float) throws {
    let device = try CPUDevice(precision: precision)
    let transformer = try CogVideoXTransformer3DModel(model)
    let shape: Shape = [3, 4, 6, transformer.config.inChannels]
    let denoiser = try VideoDenoiser(
      transformer, latentShape: shape, switchedBlocks: [0, 2, 900], on: device)
    let x = device.makeTensor(shape, storage: .exact)
    x.load(seededNormals(seed: 5, count: shape.count))
    let texts = try #require(expected["texts"])
    let prompts = [0, 1].map { index in
      let tensor = device.makeTensor([texts.shape[1], texts.shape[2]], storage: .exact)
      tensor.load(
        Array(texts.elements[index * tensor.shape.count..<(index + 1) * tensor.shape.count]))
      return tensor
    }
    func predicted(_ texts: [any DeviceTensor]) throws -> [Float] {
      let outputs = texts.map { _ in device.makeTensor(shape, storage: .exact) }
      try denoiser.predict(x, texts: texts, timestep: 601, into: outputs)
      return outputs.flatMap { output in
        var values = [Float](repeating: 0, count: shape.count)
        output.store(into: &values)
        return values
      }
    }
    // Alone, a prompt reads its own text.
    try expectClose(predicted([prompts[1]]), "plain", within: share)
    try expectClose(predicted(prompts), "switched", within: share)
  }

  @Test("Clips are cut into chunks as diffusers cuts them")
  func chunks() {
    for (count, length, expected) in [
      (1, 8, [0..<1]), (5, 8, [0..<5]), (9, 8, [0..<9]), (13, 8, [0..<13]),
      (17, 8, [0..<9, 9..<17]), (21, 8, [0..<13, 13..<21]), (1, 2, [0..<1]), (2, 2, [0..<2]),
      (3, 2, [0..<3]), (4, 2, [0..<2, 2..<4]),
      (13, 2, [0..<3, 3..<5, 5..<7, 7..<9, 9..<11, 11..<13]),
    ] {
      #expect(ClipChunks(count: count, length: length).ranges == expected)
    }
  }

  @Test("The longest chunk is the longest of any clip")
  func longestChunk() throws {
    let coders = VideoCoders(
      try AutoencoderKLCogVideoX(model), height: 32, width: 16, on: try CPUDevice(precision: .f32))
    let chunks = (1...50).flatMap {
      ClipChunks(count: coders.paddedCount($0), length: VideoCoders.framesAtATime).ranges
    }
    #expect(chunks.map(\.count).max() == coders.longestChunk)
  }
}
