import FixtureSupport
import Kernels
import ModelFiles
import TensorCore
import Testing

@testable import Networks

/// Every network against diffusers, whole tensors.
@Suite struct GoldenTests {
  static let runs: [(Fixture, Precision)] = Fixture.allCases.flatMap { fixture in
    Precision.allCases.map { (fixture, $0) }
  }

  /// float32 differs by rounding only. bfloat16 keeps eight bits, and networks of random weights
  /// amplify what is lost.
  private func expect(
    _ actual: Tensor, is expected: Tensor, _ precision: Precision,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let comparison = compare(actual, with: expected, tolerance: precision == .f32 ? 2e-5 : 0.2)
    #expect(
      comparison.firstBad == nil && comparison.relativeL2 <= (precision == .f32 ? 1e-5 : 0.05),
      "\(comparison)", sourceLocation: sourceLocation)
  }

  @Test(arguments: runs)
  func `text features are transformers'`(_ fixture: Fixture, _ precision: Precision) throws {
    let model = try TestModel(fixture, precision: precision)
    let encoder = try TextEncoder(CLIPTextModel(model.folder), on: model.device)
    let ids = model.golden["token_ids"]!.elements.map { Int32($0) }
    expect(try encoder.encode(ids), is: model.golden["text"]!, precision)
  }

  @Test(arguments: runs)
  func `latents are diffusers'`(_ fixture: Fixture, _ precision: Precision) throws {
    let model = try TestModel(fixture, precision: precision)
    let picture = model.golden["picture"]!
    let encoder = try LatentEncoder(
      model.folder.autoencoder(), height: picture.shape[0], width: picture.shape[1],
      on: model.device)
    let latent = model.device.makeTensor(encoder.latentShape, storage: .exact)
    try encoder.encode(model.tensor(picture), into: latent)
    expect(model.read(latent), is: model.golden["latent"]!, precision)
  }

  @Test(arguments: runs)
  func `decoded pictures are diffusers'`(_ fixture: Fixture, _ precision: Precision) throws {
    let model = try TestModel(fixture, precision: precision)
    let expected = model.golden["decoded"]!
    let decoder = try LatentDecoder(
      model.folder.autoencoder(), height: expected.shape[0], width: expected.shape[1],
      on: model.device)
    let picture = model.device.makeTensor(decoder.pictureShape, storage: .exact)
    try decoder.decode(model.tensor(model.golden["given"]!), into: picture)
    expect(model.read(picture), is: expected, precision)
  }

  @Test(arguments: runs)
  func `embedded conditions are diffusers'`(_ fixture: Fixture, _ precision: Precision) throws {
    let model = try TestModel(fixture, precision: precision)
    expect(model.read(try model.condition()), is: model.golden["condition_embedding"]!, precision)
  }

  @Test(arguments: runs)
  func `the UNet's output is diffusers'`(_ fixture: Fixture, _ precision: Precision) throws {
    let model = try TestModel(fixture, precision: precision)
    let output = try model.predict(model.denoiser(), controlScale: 0)
    expect(output, is: model.golden["unet"]!, precision)
  }

  @Test(arguments: runs)
  func `the steered UNet's output is diffusers'`(
    _ fixture: Fixture, _ precision: Precision
  ) throws {
    let model = try TestModel(fixture, precision: precision)
    let denoiser = try model.denoiser()
    expect(
      try model.predict(denoiser, controlScale: 1), is: model.golden["controlled"]!, precision)
    expect(
      try model.predict(denoiser, controlScale: 0.3), is: model.golden["controlled_0.3"]!, precision
    )
  }

  @Test(arguments: runs)
  func `the ControlNet's residuals are diffusers'`(
    _ fixture: Fixture, _ precision: Precision
  ) throws {
    let model = try TestModel(fixture, precision: precision)
    let controlNet = try ControlNetModel(model.folder)
    let graph = Graph(name: "controlnet")
    let latent = graph.input(model.golden["given"]!.shape)
    let condition = try model.condition()
    let embedded = graph.input(condition.shape, storage: .activation)
    let timestep = graph.stepScalar()
    let context = graph.input(model.golden["text"]!.shape, scope: .context)
    let window = UNetTrunk.window(latent, controlNet.config.trunk, in: graph)
    let output = controlNet(
      window, condition: embedded, timestep: timestep, context: context, readsWindow: false,
      in: graph)
    let values = output.skips + [output.middle]
    for value in values { graph.output(value) }
    let plan = try model.device.plan(graph)
    plan.bind(latent, frame: 0, to: model.tensor(model.golden["given"]!))
    plan.bind(embedded, frame: 0, to: condition)
    plan.set(timestep, to: model.golden["timestep"]!.elements[0])
    let tensors = values.map { model.device.makeTensor($0.shape, storage: .exact) }
    for (value, tensor) in zip(values, tensors) { plan.bind(value, frame: 0, to: tensor) }
    try plan.run(
      frames: 1, outputs: 1, context: plan.prepareContext([context: model.golden["text"]!]),
      window: nil)

    expect(model.read(tensors.last!), is: model.golden["controlnet.mid"]!, precision)
    var compared = 0
    for (index, tensor) in tensors.dropLast().enumerated() {
      guard let expected = model.golden["controlnet.down.\(index)"] else { continue }
      expect(model.read(tensor), is: expected, precision)
      compared += 1
    }
    #expect(compared > 0)
  }

  @Test(arguments: runs)
  func `attention over a window is the reference's`(
    _ fixture: Fixture, _ precision: Precision
  ) throws {
    let model = try TestModel(fixture, precision: precision)
    let denoiser = try model.denoiser()
    let clip = model.golden["clip"]!
    let size = denoiser.latentShape.count
    let frames = (0..<3).map {
      model.tensor(
        Tensor(denoiser.latentShape, Array(clip.elements[$0 * size..<($0 + 1) * size])))
    }
    let outputs = frames.map { _ in
      model.device.makeTensor(denoiser.latentShape, storage: .exact)
    }
    let window = WindowPass(
      sources: [
        [.member(0), .member(1, offset: 1)],
        [.member(0, offset: -1), .member(1), .member(2, offset: 1)],
        [.member(1, offset: -1), .member(2)],
      ], stores: [], cache: try denoiser.makeFeatureCache(passes: 1, slots: 1), pass: 0)
    try denoiser.predict(
      frames, timestep: Int(model.golden["clip_timestep"]!.elements[0]),
      context: denoiser.prepare(model.golden["text"]!), window: window, into: outputs)
    let all = Tensor(clip.shape, outputs.flatMap { model.read($0).elements })
    expect(all, is: model.golden["windowed"]!, precision)
  }
}
