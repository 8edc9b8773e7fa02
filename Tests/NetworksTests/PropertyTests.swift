import FixtureSupport
import Foundation
import Kernels
import ModelFiles
import Networks
import TensorCore
import Testing

/// What has to hold whatever the weights.
@Suite struct PropertyTests {
  private let model: TestModel
  private let latents: [Tensor]

  init() throws {
    model = try TestModel(.small)
    let shape = model.golden["given"]!.shape
    latents = (0..<3).map { Tensor(shape, seededNormals(seed: 40 + $0, count: shape.count)) }
  }

  /// The outputs of frames side by side.
  private func predict(
    _ denoiser: Denoiser, _ frames: [Tensor], _ context: Denoiser.Context,
    controlScale: Float? = nil, window: WindowPass? = nil
  ) throws -> [Tensor] {
    let outputs = frames.map { model.device.makeTensor($0.shape, storage: .exact) }
    let condition = try controlScale.map { _ in try model.condition() }
    try denoiser.predict(
      frames.map { model.tensor($0) },
      conditions: condition.map { condition in frames.map { _ in condition } }, timestep: 250,
      context: context, controlScale: controlScale ?? 1, window: window, into: outputs)
    return outputs.map(model.read)
  }

  private func expectEqual(
    _ actual: [Tensor], _ expected: [Tensor], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(actual.count == expected.count, sourceLocation: sourceLocation)
    for (actual, expected) in zip(actual, expected) {
      let comparison = compare(actual, with: expected, tolerance: 1e-5)
      #expect(comparison.firstBad == nil, "\(comparison)", sourceLocation: sourceLocation)
    }
  }

  @Test func `a ControlNet of six channels sees the second picture behind the other`() throws {
    let (height, width) = (model.golden["picture"]!.shape[0], model.golden["picture"]!.shape[1])
    let other = Tensor(
      [height, width, 3], seededNormals(seed: 7, count: height * width * 3).map { $0 / 3 })
    for readsSecond in [false, true] {
      try Fixture.small.withCopy { path in
        let part = path.appending(path: "controlnet")
        let config = part.appending(path: "config.json")
        try String(contentsOf: config, encoding: .utf8)
          .replacingOccurrences(
            of: "\"conditioning_channels\": 3", with: "\"conditioning_channels\": 6"
          )
          .write(to: config, atomically: true, encoding: .utf8)
        try SafetensorsData.rewrite(part.appending(path: "diffusion_pytorch_model.safetensors")) {
          let name = "controlnet_cond_embedding.conv_in.weight"
          let weight = $0[name]!
          let zeros = [Float](repeating: 0, count: 27)
          $0[name] = Tensor(
            [weight.shape[0], 6, 3, 3],
            stride(from: 0, to: weight.elements.count, by: 27).flatMap {
              let read = Array(weight.elements[$0..<$0 + 27])
              return readsSecond ? zeros + read : read + zeros
            })
        }
        let embedding = try ConditionEmbedding(
          ControlNetModel(ModelFolder(path: path.path)), height: height, width: width,
          on: model.device)
        #expect(embedding.seesSecondPicture)
        let condition = model.device.makeTensor(embedding.shape, storage: .activation)
        let (first, second) = (model.golden["picture"]!, other)
        try embedding.embed(
          model.tensor(readsSecond ? second : first),
          second: model.tensor(readsSecond ? first : second),
          into: condition)
        expectEqual([model.read(condition)], [model.read(try model.condition())])
      }
    }
  }

  @Test func `a UNet of twice the channels reads the latent of the second picture`() throws {
    let unet = try UNet2DConditionModel(model.folder)
    let expected = try predict(
      Denoiser(unet, controlNet: nil, latentShape: latents[0].shape, on: model.device),
      latents, model.denoiser().prepare(model.golden["text"]!))
    for readsSecond in [false, true] {
      try Fixture.small.withCopy { path in
        try Fixture.readTwoLatents(in: path, readsSecond: readsSecond)
        let folder = try ModelFolder(path: path.path)
        try folder.requireFit(withControlNet: false)
        let denoiser = try Denoiser(
          UNet2DConditionModel(folder), controlNet: nil, latentShape: latents[0].shape,
          on: model.device)
        #expect(denoiser.readsSecondPicture)
        let tensors = latents.map { model.tensor($0) }
        let others = latents.reversed().map { model.tensor($0) }
        let outputs = latents.map { model.device.makeTensor($0.shape, storage: .exact) }
        try denoiser.predict(
          readsSecond ? others : tensors, second: readsSecond ? tensors : others, timestep: 250,
          context: denoiser.prepare(model.golden["text"]!), into: outputs)
        expectEqual(outputs.map(model.read), expected)
      }
    }
  }

  @Test func `frames side by side come out as one by one`() throws {
    let denoiser = try model.denoiser()
    let context = denoiser.prepare(model.golden["text"]!)
    let together = try predict(denoiser, latents, context, controlScale: 0.8)
    let alone = try latents.map { try predict(denoiser, [$0], context, controlScale: 0.8)[0] }
    expectEqual(together, alone)
  }

  @Test func `a window of the frame alone is self-attention`() throws {
    let denoiser = try model.denoiser()
    let context = denoiser.prepare(model.golden["text"]!)
    let window = WindowPass(
      sources: [[.member(0)], [.member(1)], [.member(2)]], stores: [],
      cache: try denoiser.makeFeatureCache(passes: 1, slots: 1), pass: 0)
    let windowed = try predict(denoiser, latents, context, window: window)
    expectEqual(windowed, try predict(denoiser, latents, context))
  }

  @Test(arguments: [false, true])
  func `features from an earlier run stand for the frame itself`(inControlNet: Bool) throws {
    let denoiser = try model.denoiser(windowInControlNet: inControlNet)
    let context = denoiser.prepare(model.golden["text"]!)
    let scale: Float? = inControlNet ? 1 : nil
    let cache = try denoiser.makeFeatureCache(passes: 2, slots: 2)
    func pass(_ sources: [[WindowPass.Source]], _ stores: [(member: Int, slot: Int)]) -> WindowPass
    {
      WindowPass(sources: sources, stores: stores, cache: cache, pass: 1)
    }
    // In lockstep, where no frame reads a later one, or one after the other.
    let together = try predict(
      denoiser, latents, context, controlScale: scale,
      window: pass(
        [[.member(0)], [.member(0), .member(1)], [.member(0), .member(1), .member(2)]], []))
    let first = try predict(
      denoiser, [latents[0]], context, controlScale: scale, window: pass([[.member(0)]], [(0, 1)]))
    let second = try predict(
      denoiser, [latents[1]], context, controlScale: scale,
      window: pass([[.cached(slot: 1), .member(0)]], [(0, 0)]))
    let third = try predict(
      denoiser, [latents[2]], context, controlScale: scale,
      window: pass([[.cached(slot: 1), .cached(slot: 0), .member(0)]], []))
    expectEqual(first + second + third, together)
    // The window does matter, or nothing was shown.
    let without = try predict(denoiser, [latents[2]], context, controlScale: scale)
    #expect(compare(without[0], with: together[2], tolerance: 1e-3).firstBad != nil)
  }

  @Test func `latents of the window are read from the run or from the cache alike`() throws {
    let model = try TestModel(.haar)
    let denoiser = try model.denoiser()
    let context = denoiser.prepare(model.golden["text"]!)
    let shape = denoiser.latentShape
    let latents = (0..<3).map { Tensor(shape, seededNormals(seed: 60 + $0, count: shape.count)) }
    let cache = try denoiser.makeFeatureCache(passes: 1, slots: 2)
    func predict(
      _ frames: [Tensor], _ sources: [[WindowPass.Source]], _ stores: [(member: Int, slot: Int)]
    ) throws -> [Tensor] {
      let outputs = frames.map { model.device.makeTensor($0.shape, storage: .exact) }
      try denoiser.predict(
        frames.map { model.tensor($0) }, timestep: 250, context: context,
        window: WindowPass(sources: sources, stores: stores, cache: cache, pass: 0), into: outputs)
      return outputs.map(model.read)
    }
    let together = try predict(
      latents,
      [
        [.member(0)], [.member(0, offset: -1), .member(1)],
        [.member(0, offset: -2), .member(1, offset: -1), .member(2)],
      ], [])
    let first = try predict([latents[0]], [[.member(0)]], [(0, 1)])
    let second = try predict(
      [latents[1]], [[.cached(slot: 1, offset: -1), .member(0)]], [(0, 0)])
    let third = try predict(
      [latents[2]],
      [[.cached(slot: 1, offset: -2), .cached(slot: 0, offset: -1), .member(0)]], [])
    expectEqual(first + second + third, together)
    // Where a frame is does matter.
    let other = try predict(
      [latents[2]],
      [[.cached(slot: 1, offset: -1), .cached(slot: 0, offset: -2), .member(0)]], [])
    #expect(compare(other[0], with: together[2], tolerance: 1e-3).firstBad != nil)
  }

  @Test func `self-attention leaves the window alone where the configuration says so`() throws {
    try Fixture.small.withCopy { path in
      let file = path.appending(path: "unet/config.json")
      let config = try String(contentsOf: file, encoding: .utf8)
      try config.replacing("{", with: #"{"window_attention": false,"#, maxReplacements: 1)
        .write(to: file, atomically: true, encoding: .utf8)
      let folder = try ModelFolder(path: path.path)
      let denoiser = try Denoiser(
        UNet2DConditionModel(folder), controlNet: nil, latentShape: latents[0].shape,
        on: model.device)
      let context = denoiser.prepare(model.golden["text"]!)
      let window = WindowPass(
        sources: [[.member(0), .member(1, offset: 1)], [.member(0, offset: -1), .member(1)]],
        stores: [], cache: try denoiser.makeFeatureCache(passes: 1, slots: 1), pass: 0)
      let frames = Array(latents.prefix(2))
      let alone = try predict(denoiser, frames, context)
      expectEqual(try predict(denoiser, frames, context, window: window), alone)
    }
  }

  @Test func `zero convolutions leave the UNet's output alone`() throws {
    try Fixture.small.withCopy { path in
      let file = path.appending(path: "controlnet/diffusion_pytorch_model.safetensors")
      try SafetensorsData.rewrite(file) { tensors in
        for (name, tensor) in tensors
        where name.hasPrefix("controlnet_down_blocks") || name.hasPrefix("controlnet_mid_block") {
          tensors[name] = Tensor(tensor.shape)
        }
      }
      let folder = try ModelFolder(path: path.path)
      let denoiser = try Denoiser(
        UNet2DConditionModel(folder), controlNet: ControlNetModel(folder),
        latentShape: latents[0].shape, on: model.device)
      let context = denoiser.prepare(model.golden["text"]!)
      let steered = try predict(denoiser, [latents[0]], context, controlScale: 1)
      expectEqual(steered, try predict(denoiser, [latents[0]], context))
    }
  }

  @Test func `a prompt prepared once serves every run`() throws {
    let denoiser = try model.denoiser()
    let text = model.golden["text"]!
    let other = Tensor(text.shape, seededNormals(seed: 9, count: text.shape.count))
    let (one, two) = (denoiser.prepare(text), denoiser.prepare(other))
    let before = try predict(denoiser, [latents[0]], one)
    let between = try predict(denoiser, [latents[0]], two)
    let after = try predict(denoiser, [latents[0]], one)
    expectEqual(after, before)
    #expect(compare(between[0], with: before[0], tolerance: 1e-3).firstBad != nil)
  }

  @Test func `a token outside the vocabulary is refused`() throws {
    let encoder = try TextEncoder(CLIPTextModel(model.folder), on: model.device)
    var ids = model.golden["token_ids"]!.elements.map { Int32($0) }
    ids[3] = 100_000
    #expect(throws: ModelError.self) { try encoder.encode(ids) }
    #expect(throws: ModelError.self) { try encoder.encode([1, 2]) }
  }
}
