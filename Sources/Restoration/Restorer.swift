import Diffusion
import Kernels
import ModelFiles
import TensorCore

/// Restores a stream of frames: one out for each in, in the same order.
///
/// A frame is encoded and inverted when it arrives. As soon as a chunk and its lookahead are there they are sampled side
/// by side; the chunk's frames are decoded and leave, the lookahead waits to be sampled again with its own chunk. What
/// is held is bounded by chunk, lookahead and radius, whatever the length of the stream.
///
/// One thread at a time, the device's.
///
/// Reference: TDM (arXiv 2501.02269), section 3.
public final class Restorer {
  public let options: RestorationOptions
  /// Of a frame, in pixels, in and out.
  public let width, height: Int
  /// Said before the first frame; see ``MemoryEstimate``.
  public let memory: MemoryEstimate
  public private(set) var statistics = RestorationStatistics()

  private let networks: any PipelineNetworks
  private let inversion: Inversion
  private let sampling: Sampling
  private let window: Window?
  private let cache: (any FeatureCache)?
  private let canvas: Canvas

  private var queue: FrameQueue
  private let group = SamplingTensors()
  /// The network's output in inversion.
  private let output: any DeviceTensor
  private var sceneCuts: SceneCutDetector?
  private var colorFix: WaveletColorFix?
  /// The number of the first frame since the last cut.
  private var scene = 0
  private var arrived = 0
  /// What enters and leaves the networks, on the device and here.
  private let picture: any DeviceTensor
  private var pixels: [Float]
  private var frame: [Float]

  /// Loads a model and makes everything ready for frames of one size.
  /// - Parameters:
  ///   - width: of the frames that are pushed, in pixels, 1 or more: of the source times the task's
  ///     ``RestorationTask/enlargement``.
  ///   - height: likewise.
  /// - Throws: ``OptionError`` where an option is out of its range or does not suit the model; `ModelError` where the
  ///   model is missing or unfit; `KernelError` where the device cannot run it.
  public convenience init(
    model: ModelFolder, options: RestorationOptions, width: Int, height: Int, device: any Device
  ) throws {
    // What is quickly told comes before anything large is read.
    try options.validate()
    let schedule = try NoiseSchedule(model.schedulerConfig())
    try options.validate(trainStepCount: schedule.trainStepCount)
    let canvas = Canvas(
      height: height, width: width, multiple: try ModelNetworks.multiple(of: model))
    try self.init(
      networks: ModelNetworks(model, options: options, canvas: canvas, on: device),
      schedule: schedule, options: options, canvas: canvas)
  }

  /// - Throws: ``OptionError`` where an option does not suit the model's noise schedule.
  init(
    networks: any PipelineNetworks, schedule: NoiseSchedule, options: RestorationOptions,
    canvas: Canvas
  ) throws {
    try options.validate()
    try options.validate(trainStepCount: schedule.trainStepCount)
    self.networks = networks
    self.options = options
    self.canvas = canvas
    width = canvas.width
    height = canvas.height

    var contexts = PromptContexts(networks)
    inversion = Inversion(
      options, schedule: schedule, context: try contexts[options.promptOfInversion])
    sampling = Sampling(
      options, schedule: schedule, positive: try contexts[options.taskPrompt],
      negative: options.isGuided ? try contexts[options.negativePrompt] : nil)

    window = Window(options)
    let passCount = sampling.passCount
    cache = try window.map {
      // One group holds the whole clip: nobody comes later to read what was kept.
      try networks.makeFeatureCache(
        passes: passCount, slots: options.chunk == 0 ? 0 : $0.slotCount)
    }
    memory = MemoryEstimate(
      options, networks: networks.memory, featureBytes: cache?.byteCount ?? 0, canvas: canvas)

    queue = FrameQueue(usesControl: options.usesControl)
    output = networks.makeLatent()
    sceneCuts =
      options.sceneCut == .auto ? SceneCutDetector(width: width, height: height) : nil
    colorFix = options.colorFix == .wavelet ? WaveletColorFix(width: width, height: height) : nil
    picture = networks.makePicture()
    pixels = Array(repeating: 0, count: canvas.pictureCount)
    frame = Array(repeating: 0, count: canvas.frameCount)
  }

  /// Frames that have to arrive before the first can leave; nil is the whole clip.
  public var latency: Int? { options.chunk == 0 ? nil : options.chunk + options.lookahead }

  /// Frames that have arrived and not yet left.
  public var heldFrameCount: Int { queue.frames.count }

  /// Takes the next frame, and gives those that are done.
  /// - Parameters:
  ///   - rgb: [height, width, 3], 0...255.
  ///   - emit: takes a restored frame of the same shape, about 0...255, neither rounded nor clamped. An error ends the
  ///     restoration.
  public func push(_ rgb: [Float], emit: ([Float]) throws -> Void) throws {
    precondition(rgb.count == canvas.frameCount, "\(rgb.count) values for \(width)x\(height)")
    if sceneCuts?.isCut(before: rgb) == true {
      statistics.sceneCuts += 1
      try closeScene(emit)
    }
    try receive(rgb)
    if let latency, queue.frames.count == latency { try sample(core: options.chunk, emit) }
  }

  /// Gives the frames that are left. What is pushed afterwards belongs to another clip, which reads nothing of this one.
  public func finish(emit: ([Float]) throws -> Void) throws {
    try closeScene(emit)
    sceneCuts?.forget()
  }

  private func closeScene(_ emit: ([Float]) throws -> Void) throws {
    while !queue.frames.isEmpty {
      let held = queue.frames.count
      try sample(core: options.chunk == 0 ? held : min(options.chunk, held), emit)
    }
    scene = arrived
  }

  // MARK: A frame's way in

  private func receive(_ rgb: [Float]) throws {
    let held = queue.takeFree(from: networks)
    if options.colorFix != .none { held.input = rgb }
    try statistics.encode.measure {
      canvas.pad(rgb, into: &pixels)
      picture.load(pixels)
      if let condition = held.condition { try networks.embed(picture, into: condition) }
      if options.start == .inversion { try networks.encode(picture, into: held.latent) }
    }
    switch options.start {
    case .inversion:
      try statistics.invert.measure {
        try inversion.run(
          networks, latent: held.latent, condition: held.condition, output: output)
      }
    case .noise:
      held.latent.load(
        StartNoise.latent(seed: options.seed &+ UInt64(arrived), shape: networks.latentShape))
    }
    queue.append(held, number: arrived)
    arrived += 1
    statistics.framesIn += 1
  }

  // MARK: Its way out

  /// Samples the oldest `core` frames, beside all others that are there, and gives them.
  private func sample(core: Int, _ emit: ([Float]) throws -> Void) throws {
    let held = queue.frames
    group.reserve(held.count, guided: options.isGuided, from: networks)
    try statistics.sample.measure {
      try sampling.run(
        networks, from: held.map(\.latent), conditions: held.compactMap(\.condition),
        window: windowPass(core: core), in: group)
    }
    for place in 0..<core {
      try statistics.decode.measure {
        try networks.decode(group.samples[place], into: picture)
        picture.store(into: &pixels)
        canvas.crop(pixels, into: &frame)
        colorFix?.apply(to: &frame, from: held[place].input)
      }
      queue.removeFirst()
      statistics.framesOut += 1
      try emit(frame)
    }
  }

  private func windowPass(core: Int) -> WindowPass? {
    guard let window, let cache, let first = queue.frames.first?.number else { return nil }
    let members = first..<first + queue.frames.count
    return WindowPass(
      sources: window.sources(for: members, scene: scene),
      stores: options.chunk == 0 ? [] : window.stores(of: first..<first + core, scene: scene),
      cache: cache, pass: 0)
  }
}

/// What was computed from prompts: each different one once.
private struct PromptContexts {
  private let networks: any PipelineNetworks
  private var contexts: [String: any PromptContext] = [:]

  init(_ networks: any PipelineNetworks) { self.networks = networks }

  subscript(prompt: String) -> any PromptContext {
    mutating get throws {
      if let context = contexts[prompt] { return context }
      let context = try networks.prepare(prompt: prompt)
      contexts[prompt] = context
      return context
    }
  }
}
