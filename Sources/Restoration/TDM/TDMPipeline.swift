import Diffusion
import Kernels
import TensorCore

/// Restores a stream of frames: one out for each in, in the same order.
///
/// A frame is encoded and inverted when it arrives, or, where frames are fused, when the later ones
/// that it is fused with have. As soon as a chunk and its lookahead are there they are sampled side
/// by side; the chunk's frames are decoded and leave, the lookahead waits to be sampled again with
/// its own chunk. What is held is bounded by fusion, chunk, lookahead and radius, whatever the
/// length of the stream.
///
/// Where pictures are too large for the memory that may be used they go through all of this in
/// tiles, each tile with the same window across the frames as the whole would have, and are joined
/// when they are decoded.
///
/// One thread at a time, the device's.
///
/// Reference: TDM (arXiv 2501.02269), section 3.
final class TDMPipeline {
  var options: RestorationOptions { course.options }
  /// Of a frame, in pixels, in and out.
  let width, height: Int
  /// Said before the first frame; see ``MemoryEstimate``.
  var memory: MemoryEstimate { course.memory }
  private(set) var statistics = RestorationStatistics()

  let networks: any PipelineNetworks
  let tiling: Tiling
  private let tileWeights: Tiling.Weights
  /// What the options come to.
  private(set) var course: Course
  private let schedule: NoiseSchedule

  var queue: FrameQueue
  private(set) var group = SamplingTensors()
  /// The network's output in inversion.
  let output: any DeviceTensor
  /// The number of the first frame since the last cut.
  private(set) var scene = 0
  private var arrived = 0
  /// What enters and leaves the networks, on the device and here.
  let picture: any DeviceTensor
  /// A frame's second picture, where a network sees one.
  let second: (any DeviceTensor)?
  private var pixels: [Float]
  private var latentValues: [Float]
  /// Restored frames, of which tiles may be missing yet.
  private var restored: [[Float]] = []

  /// How far a pipeline has come, for another that goes on with the frames that follow.
  struct Progress {
    fileprivate let statistics: RestorationStatistics
    fileprivate let arrived: Int
    fileprivate let onEvaluation: (() -> Void)?
  }

  var progress: Progress {
    Progress(statistics: statistics, arrived: arrived, onEvaluation: onEvaluation)
  }

  func goOn(from progress: Progress) {
    statistics = progress.statistics
    arrived = progress.arrived
    scene = arrived
    onEvaluation = progress.onEvaluation
  }

  init(_ plan: Plan) throws {
    schedule = plan.schedule
    networks = plan.memory.networks
    tiling = plan.memory.tiling
    tileWeights = tiling.weights()
    width = tiling.canvas.width
    height = tiling.canvas.height
    course = try Course(
      plan.options, memory: plan.memory.estimate, schedule: schedule, networks: networks,
      tiling: tiling)

    queue = FrameQueue(tileCount: tiling.count)
    output = networks.makeLatent()
    picture = networks.makePicture()
    second = networks.seesSecondPicture ? networks.makePicture() : nil
    pixels = Array(repeating: 0, count: tiling.pictureCount)
    latentValues = Array(repeating: 0, count: networks.latentShape.count)
  }

  /// Frames that have arrived and not yet left.
  var heldFrameCount: Int { queue.frames.count + (course.fusion?.heldCount ?? 0) }

  /// Called after each evaluation of a network, by the thread that pushes: a sign of life while a
  /// group is sampled.
  var onEvaluation: (() -> Void)? {
    get { networks.onEvaluation }
    set { networks.onEvaluation = newValue }
  }

  /// Takes the next frame, and gives those that are done.
  /// - Parameters:
  ///   - rgb: [height, width, 3], 0...255.
  ///   - emit: takes a restored frame of the same shape, about 0...255, neither rounded nor
  ///     clamped. An error ends the restoration.
  func push(_ rgb: [Float], emit: ([Float]) throws -> Void) throws {
    precondition(
      rgb.count == tiling.canvas.frameCount, "\(rgb.count) values for \(width)x\(height)")
    statistics.framesIn += 1
    if course.sceneCuts?.isCut(before: rgb) == true {
      statistics.sceneCuts += 1
      try closeScene(emit)
    }
    course.mixing?.take(rgb)
    if let fusion = course.fusion {
      fusion.take(rgb)
      try enter(from: fusion, ending: false, emit)
    } else {
      try enter(rgb, second: nil, emit)
    }
  }

  private func enter(
    from fusion: FrameFusion, ending: Bool, _ emit: ([Float]) throws -> Void
  ) throws {
    while fusion.canAdvance(ending: ending) {
      statistics.fuse.measure { fusion.advance() }
      try enter(fusion.picture, second: fusion.second, emit)
    }
  }

  /// Takes a frame as the networks are to restore it, and its second picture where it has another.
  private func enter(
    _ rgb: [Float], second: [Float]?, _ emit: ([Float]) throws -> Void
  ) throws {
    try receive(rgb, second: second)
    if options.chunk > 0, queue.frames.count == options.heldCount {
      try sample(core: options.chunk, emit)
    }
  }

  /// Gives the frames that are left. What is pushed afterwards belongs to another clip, which reads
  /// nothing of this one.
  func finish(emit: ([Float]) throws -> Void) throws {
    try closeScene(emit)
    course.sceneCuts?.forget()
  }

  private func closeScene(_ emit: ([Float]) throws -> Void) throws {
    if let fusion = course.fusion {
      try enter(from: fusion, ending: true, emit)
      fusion.forget()
    }
    while !queue.frames.isEmpty {
      let held = queue.frames.count
      try sample(core: options.chunk == 0 ? held : min(options.chunk, held), emit)
    }
    course.veil?.forget()
    scene = arrived
  }

  // MARK: Other options

  /// Whether the options could be changed to these.
  /// - Throws: ``OptionError`` where one is out of its range, does not suit the model, or is of
  ///   those that the networks were planned for; ``InsufficientMemory``.
  func check(_ options: RestorationOptions, limits: MemoryLimits = MemoryLimits()) throws {
    _ = try estimate(options, limits)
  }

  /// Restores the frames that follow by other options. Those that are held leave by the former
  /// ones, and nothing is read across: the frames are those of two pipelines.
  /// - Parameters:
  ///   - limits: of memory, with these options.
  ///   - emit: as in ``push(_:emit:)``.
  /// - Throws: ``RefusedChange`` where ``check(_:limits:)`` fails, or there was no room for the
  ///   window's features after all; everything else ends the restoration.
  func change(
    to options: RestorationOptions, limits: MemoryLimits = MemoryLimits(),
    emit: ([Float]) throws -> Void
  ) throws {
    let memory = try RefusedChange.because { try estimate(options, limits) }
    try finish(emit: emit)
    release()
    let former = course
    do {
      try follow(options, memory: memory, former: former)
    } catch {
      try follow(former.options, memory: former.memory, former: former)
      throw RefusedChange(reason: error)
    }
  }

  /// Gives up what is as large as the options in effect have made it: it would else be held beside
  /// what others need, and the memory that was told for those would not be all of it.
  private func release() {
    course.cache = nil
    course.colorFix = nil
    course.fusion = nil
    course.veil = nil
    course.mixing = nil
    course.startNoise = nil
    queue.releaseFree()
    group = SamplingTensors()
    restored = []
    networks.releaseMemory()
  }

  private func follow(
    _ options: RestorationOptions, memory: MemoryEstimate, former: Course
  ) throws {
    course = try Course(
      options, memory: memory, schedule: schedule, networks: networks, tiling: tiling,
      former: former)
  }

  /// What options take with the networks as they are.
  private func estimate(
    _ options: RestorationOptions, _ limits: MemoryLimits
  ) throws -> MemoryEstimate {
    try options.validate()
    try options.validate(for: schedule)
    try options.validate(asChangeOf: self.options)
    let memory = PlannedMemory(options, tiling, networks).estimate(tiling)
    guard memory.fits(limits) else {
      throw InsufficientMemory(memory, limits, tiling.canvas, options)
    }
    return memory
  }

  // MARK: A frame's way in

  private func receive(_ rgb: [Float], second rgbOfSecond: [Float]?) throws {
    let held = queue.takeFree(from: networks)
    if options.keepsInput { held.keep(rgb) }
    try statistics.encode.measure {
      for tile in 0..<tiling.count {
        if let second, let rgbOfSecond {
          tiling.cut(tile, from: rgbOfSecond, into: &pixels)
          second.load(pixels)
        }
        load(tile, of: rgb)
        try encode(tile, of: held)
      }
    }
    switch options.start {
    case .inversion:
      try statistics.invert.measure {
        for tile in 0..<tiling.count {
          try course.inversion.run(
            networks, latent: held.latents[tile], guide: held.guides[tile], output: output)
        }
      }
    case .noise:
      let seed = options.seed &+ UInt64(arrived)
      course.startNoise?.draw(seed: seed)
      for tile in 0..<tiling.count {
        course.startNoise?.cut(tile, into: &latentValues)
        held.latents[tile].load(latentValues)
      }
    }
    queue.append(held, number: arrived)
    arrived += 1
  }

  /// Takes ``picture``, a tile, to its latent and to what it is steered by.
  func encode(_ tile: Int, of frame: HeldFrame) throws {
    let (latent, guide) = (frame.latents[tile], frame.guides[tile])
    let second = options.usesFusion ? second : nil
    if options.start == .inversion || (guide.second != nil && second == nil) {
      try networks.encode(picture, into: latent)
    }
    try networks.guide(by: picture, latent: latent, second: second, into: guide)
  }

  // MARK: Its way out

  /// Samples the oldest `core` frames, beside all others that are there, and gives them.
  private func sample(core: Int, _ emit: ([Float]) throws -> Void) throws {
    let held = queue.frames
    let isTiled = tiling.count > 1
    group.reserve(held.count, guided: options.isGuided, from: networks)
    while restored.count < (isTiled ? core : 1) {
      restored.append(Array(repeating: 0, count: tiling.canvas.frameCount))
    }
    let clock = ContinuousClock()
    var sampled = Duration.zero
    var decoded = [Duration](repeating: .zero, count: core)
    for tile in 0..<tiling.count {
      sampled += try clock.measure {
        try course.sampling.run(
          networks, from: held.map { $0.latents[tile] }, core: core,
          guides: held.map { $0.guides[tile] }, window: windowPass(tile, core: core), in: group)
      }
      let isLast = tile == tiling.count - 1
      for place in 0..<core {
        let slot = isTiled ? place : 0
        decoded[place] += try clock.measure {
          try decode(group.samples[place], tile, of: held[place], into: &restored[slot])
        }
        guard isLast else { continue }
        // Where frames leave one by one: the only one of its group.
        sampled += try clock.measure { try liftEvenVeil(from: &restored[slot], of: held[place]) }
        if place == 0 { statistics.sample.add(sampled) }
        decoded[place] += clock.measure {
          course.colorFix?.apply(to: &restored[slot], from: held[place].input)
        }
        statistics.decode.add(decoded[place])
        course.mixing?.apply(to: &restored[slot])
        queue.removeFirst()
        statistics.framesOut += 1
        try emit(restored[slot])
      }
    }
  }

  /// Takes a tile of a frame to ``picture``.
  func load(_ tile: Int, of rgb: [Float]) {
    tiling.cut(tile, from: rgb, into: &pixels)
    picture.load(pixels)
  }

  /// Takes a tile's clean latent to its place in a frame.
  func decode(
    _ latent: any DeviceTensor, _ tile: Int, of frame: HeldFrame, into restored: inout [Float]
  ) throws {
    let place = "restored frame \(frame.number)"
    try requireFinite(latent: latent, place)
    try networks.decode(latent, into: picture)
    picture.store(into: &pixels)
    try Restoration.requireFinite(pixels, place)
    tiling.add(tile, pixels, by: tileWeights, to: &restored)
  }

  /// Refuses a latent that holds other than finite numbers.
  /// - Parameter place: where in the stream it comes from.
  func requireFinite(latent: any DeviceTensor, _ place: String) throws {
    latent.store(into: &latentValues)
    try Restoration.requireFinite(latentValues, place)
  }

  private func windowPass(_ tile: Int, core: Int) -> WindowPass? {
    guard let window = course.window, let cache = course.cache,
      let first = queue.frames.first?.number
    else { return nil }
    let members = first..<first + queue.frames.count
    return WindowPass(
      sources: window.sources(for: members, scene: scene),
      stores: options.chunk == 0 ? [] : window.stores(of: first..<first + core, scene: scene),
      cache: cache, pass: tile * options.passCount)
  }
}
