import CAllocationCount
import FixtureSupport
import Kernels
import Networks
import TensorCore
import Testing

@Suite(
  "After the first frames, networks allocate nothing",
  .enabled(if: tdm_can_count_allocations() == 1, "a sanitizer has its own malloc"))
struct AllocationTests {
  @Test("and the counting sees allocations")
  func counting() {
    tdm_begin_counting_allocations()
    let memory = (0..<10).map { AlignedMemory(byteCount: 64 * ($0 + 1)) }
    #expect(tdm_end_counting_allocations().own >= 20)
    #expect(memory.count == 10)
  }

  @Test("in the fusion of frames")
  func fusion() throws {
    let device = try CPUDevice(precision: .f32, threads: 1)
    let (height, width) = (48, 64)
    let fusion = device.makeMotionFusion(height: height, width: width)
    let pictures = (0..<3).map { _ in fusion.makePicture() }
    let pixels = (0..<height * width * 3).map { Float($0 * 31 % 200) }
    var fused = pixels
    let history = fusion.makeHistory()
    func fuse() {
      for place in pictures.indices {
        fusion.load(pixels, into: pictures[place])
        fusion.fuse(
          pictures, at: place, noise: 5, history: place == 2 ? nil : history, into: &fused)
        fusion.take(pictures[place], into: history, most: 9)
        fusion.fuseByRank(pictures, at: place, into: &fused)
      }
      fusion.clear(history)
    }
    fuse()
    tdm_begin_counting_allocations()
    fuse()
    #expect(tdm_end_counting_allocations().own == 0)
  }

  @Test(
    "in the denoiser with its ControlNet and a window, the autoencoder and the condition",
    arguments: Fixture.allCases, Precision.allCases)
  func frame(_ fixture: Fixture, _ precision: Precision) throws {
    // All on one thread: the one whose allocations are counted.
    let model = try TestModel(fixture, precision: precision, threads: 1)
    let device = model.device
    let picture = model.tensor(model.golden["picture"]!)
    let (height, width) = (picture.shape[0], picture.shape[1])
    let autoencoder = try model.folder.autoencoder()
    let encoder = try LatentEncoder(autoencoder, height: height, width: width, on: device)
    let decoder = try LatentDecoder(autoencoder, height: height, width: width, on: device)
    let controlNet = try ControlNetModel(model.folder)
    let embedding = try ConditionEmbedding(controlNet, height: height, width: width, on: device)
    let denoiser = try Denoiser(
      UNet2DConditionModel(model.folder), controlNet: controlNet,
      latentShape: encoder.latentShape, windowInControlNet: true, on: device)
    let context = denoiser.prepare(model.golden["text"]!)

    let latents = (0..<3).map { _ in device.makeTensor(encoder.latentShape, storage: .exact) }
    let outputs = (0..<3).map { _ in device.makeTensor(encoder.latentShape, storage: .exact) }
    let conditions = latents.map { _ in device.makeTensor(embedding.shape, storage: .activation) }
    let pixels = model.golden["picture"]!.elements
    var restored = pixels
    let window = WindowPass(
      sources: [
        [.cached(slot: 0), .member(0), .member(1)], [.member(0), .member(1), .member(2)],
        [.member(1), .member(2)],
      ], stores: [(member: 2, slot: 0)],
      cache: try denoiser.makeFeatureCache(passes: 1, slots: 1), pass: 0)

    func restore() throws {
      for frame in 0..<3 {
        picture.load(pixels)
        try encoder.encode(picture, into: latents[frame])
        try embedding.embed(picture, into: conditions[frame])
      }
      try denoiser.predict(
        latents, conditions: conditions, timestep: 300, context: context, window: window,
        into: outputs)
      try denoiser.predict(
        latents, conditions: conditions, timestep: 200, context: context, controlScale: 0.5,
        into: outputs)
      for (latent, output) in zip(latents, outputs) {
        device.combine(into: latent, 0.9, latent, 0.1, output)
        try decoder.decode(latent, into: picture)
        picture.store(into: &restored)
      }
    }
    for _ in 0..<2 { try restore() }
    var counts: [tdm_allocations] = []
    for _ in 0..<3 {
      tdm_begin_counting_allocations()
      let result = Result { try restore() }
      counts.append(tdm_end_counting_allocations())
      try result.get()
    }
    #expect(counts.map(\.own) == [0, 0, 0])
    // What oneDNN allocates to hand arguments on is its own affair, as long as it does not grow.
    #expect(Set(counts.map(\.onednn)).count == 1, "\(counts.map(\.onednn))")
  }
}
