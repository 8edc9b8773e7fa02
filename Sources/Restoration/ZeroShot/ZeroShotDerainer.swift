import Diffusion
import Kernels
import ModelFiles
import TensorCore

/// Derains a stream by a text-to-video model that was never trained for it.
///
/// Frames go in segments. A segment is encoded, inverted to noise under an empty prompt, and
/// sampled again away from the model's own notion of rain, by the noise that the inversion found:
/// what is not rain comes back. Segments overlap and are cross-faded. What is held is bounded by a
/// segment, whatever the length of the stream.
///
/// One thread at a time, the device's.
///
/// Reference: Varanka et al. 2026 (arXiv 2511.18537); segments for longer streams are ours.
final class ZeroShotDerainer: FrameRestorer {
  private(set) var options: RestorationOptions
  let memory: MemoryEstimate
  private(set) var statistics = RestorationStatistics()

  private let networks: VideoModelNetworks
  private let device: any Device
  private let tiling: Tiling
  private let tileWeights: Tiling.Weights
  private let steps: [ReverseStep]
  private let blending: SegmentBlending
  /// For clips of a length; nil while another takes its place.
  private var editing: DDPMEditing?

  /// The frames of the segment under way, and what a former one made of the first of them.
  private var inputs: [[Float]] = []
  private var carried: [(sum: [Float], weight: Float)] = []
  /// The number of the segment under way in its clip, from 0.
  private var segmentNumber = 0
  /// The number of its first frame among all that were pushed, those of former clips with them.
  private var firstNumber = 0

  /// Loads a model and makes everything ready for frames of one size.
  /// - Parameters:
  ///   - width: of the frames that are pushed, in pixels; likewise the height.
  ///   - limits: of memory.
  /// - Throws: ``OptionError`` where an option is out of its range; `ModelError` where the model is
  ///   missing or unfit; `KernelError` where the device cannot run it; ``InsufficientMemory``.
  init(
    model: ModelFolder, options: RestorationOptions, width: Int, height: Int, device: any Device,
    limits: MemoryLimits = MemoryLimits()
  ) throws {
    try options.validate()
    try model.requireVideoFit()
    let config = try model.videoSchedulerConfig()
    let schedule = try NoiseSchedule(config)
    guard options.steps <= schedule.trainStepCount else {
      throw OptionError(
        "--steps", options.steps,
        expected: "1 to \(schedule.trainStepCount), the model's noise levels")
    }
    // The noisiest are skipped.
    steps = Array(
      try schedule.reverseSteps(options.steps, config).prefix(options.steps - options.zeroShot.skip)
    )
    let factor =
      try model.videoAutoencoderConfig().factor * model.videoTransformerConfig().patchSize
    let canvas = Canvas(height: height, width: width, multiple: Self.pictureMultiple(factor))
    tiling = Tiling(canvas)
    tileWeights = tiling.weights()
    self.options = options
    self.device = device
    let segment = options.zeroShot.segment
    blending = SegmentBlending(length: segment, overlap: options.zeroShot.overlap)
    networks = try VideoModelNetworks(
      model, switchedBlocks: options.zeroShot.switchBlocks.numbers, frames: segment,
      height: canvas.paddedHeight, width: canvas.paddedWidth, on: device)
    let latentShape = networks.latentShape(frames: segment)

    let valueBytes = MemoryLayout<Float>.size
    // What came, what was made of it, and a chunk of pictures on its way to or from the networks.
    let frames =
      (2 * segment + blending.overlap + 2) * canvas.frameCount
      + 2 * networks.coders.longestChunk * tiling.pictureCount
    memory = MemoryEstimate(
      weights: device.weightByteCount, activations: networks.workspaceByteCount,
      frames: frames * valueBytes + networks.heldByteCount
        + DDPMEditing.byteCount(latentShape, stepCount: steps.count)
        + 2 * latentShape.count * valueBytes,
      tileWidth: canvas.paddedWidth, tileHeight: canvas.paddedHeight)
    guard memory.fits(limits) else {
      throw InsufficientMemory(memory, limits, canvas, options)
    }
    try networks.readPrompts(model, negative: options.negativePrompt)
  }

  /// What pictures' sides are padded to a multiple of: the method's 16, as CogVideoX-2b has it, and
  /// what the networks divide them by.
  static func pictureMultiple(_ factor: Int) -> Int {
    var multiple = factor
    while multiple % 16 != 0 { multiple += factor }
    return multiple
  }

  var onEvaluation: (() -> Void)? {
    get { networks.onEvaluation }
    set { networks.onEvaluation = newValue }
  }

  func push(_ rgb: [Float], emit: ([Float]) throws -> Void) throws {
    precondition(rgb.count == tiling.canvas.frameCount)
    inputs.append(rgb)
    statistics.framesIn += 1
    // One frame more than a segment says that another segment follows.
    if inputs.count > blending.length { try restore(isLast: false, emit) }
  }

  func finish(emit: ([Float]) throws -> Void) throws {
    if !inputs.isEmpty { try restore(isLast: true, emit) }
    segmentNumber = 0
  }

  /// Restores a segment and gives those of its frames that no later one reaches.
  private func restore(isLast: Bool, _ emit: ([Float]) throws -> Void) throws {
    let count = isLast ? inputs.count : blending.length
    let leaving = isLast ? count : blending.advance
    let weights = blending.weights(
      count: count, isFirst: segmentNumber == 0, isLast: isLast)
    let latent = try edited(count: count)
    var blended = carried
    var frame = [Float](repeating: 0, count: tiling.canvas.frameCount)
    let clock = ContinuousClock()
    let decoding = try clock.measure {
      try networks.coders.decode(latent) { first, pictures in
        onEvaluation?()
        try requireFinite(pictures, "restored frame \(firstNumber + first)")
        for place in first..<min(first + pictures.count / tiling.pictureCount, count) {
          let start = (place - first) * tiling.pictureCount
          tiling.add(
            0, Array(pictures[start..<start + tiling.pictureCount]), by: tileWeights, to: &frame)
          let weight = weights[place]
          if place < blended.count {
            for index in frame.indices { blended[place].sum[index] += weight * frame[index] }
            blended[place].weight += weight
          } else {
            blended.append((frame.map { weight * $0 }, weight))
          }
        }
      }
    }
    carried = Array(blended[leaving...])
    segmentNumber += 1
    firstNumber += leaving
    for place in 0..<leaving {
      let (sum, weight) = blended[place]
      statistics.decode.add(decoding / count)
      statistics.framesOut += 1
      var restored = weight == 1 ? sum : sum.map { $0 / weight }
      Mixing.mix(&restored, with: inputs[place], amount: options.amount)
      try emit(restored)
    }
    inputs.removeFirst(leaving)
  }

  /// The first `count` frames' latent without its rain.
  private func edited(count: Int) throws -> [Float] {
    let clock = ContinuousClock()
    var latent: [Float] = []
    let encoding = try clock.measure {
      latent = try networks.coders.encode(
        frames: count, { self.pictures($0, of: count) }, step: { self.onEvaluation?() })
    }
    let editing = editing(of: networks.latentShape(frames: count))
    let inverting = try clock.measure {
      try editing.invert(latent, seed: options.seed &+ UInt64(segmentNumber))
    }
    for _ in 0..<count {
      statistics.encode.add(encoding / count)
      statistics.invert.add(inverting / count)
    }
    try statistics.sample.measure { latent = try editing.edit(guidance: Float(options.guidance)) }
    try requireFinite(latent, "restored frame \(firstNumber)")
    return latent
  }

  private func editing(of shape: Shape) -> DDPMEditing {
    if let editing, editing.shape == shape { return editing }
    editing = nil
    let made = DDPMEditing(networks, shape: shape, steps: steps, on: device)
    editing = made
    return made
  }

  /// Of a segment whose last frame is repeated as often as need be: [range, height, width, 3], in
  /// [-1, 1].
  private func pictures(_ range: Range<Int>, of count: Int) -> [Float] {
    var all: [Float] = []
    all.reserveCapacity(range.count * tiling.pictureCount)
    var picture = [Float](repeating: 0, count: tiling.pictureCount)
    for place in range {
      tiling.cut(0, from: inputs[min(place, count - 1)], into: &picture)
      all += picture
    }
    return all
  }

  // MARK: Before the first frame

  /// Nothing: a segment takes so long that it finds everything ready, and broken weights are told
  /// after its first evaluation.
  func warmUp() {}

  /// Evaluates the networks on clips of one and two latent frames, and works out from these what a
  /// segment takes: layers grow with the number of tokens, attention with its square.
  func rehearse() throws -> Rehearsal {
    func evaluate(frames: Int) throws -> (tokens: Int, seconds: Double) {
      let shape = networks.latentShape(frames: frames)
      let (x, output) = (
        device.makeTensor(shape, storage: .exact), device.makeTensor(shape, storage: .exact)
      )
      try networks.prepare(shape)
      let duration = try ContinuousClock().measure {
        try networks.predict(x, [.empty], timestep: steps[0].timestep, into: [output])
      }
      return (networks.tokenCount(frames: frames), duration / .seconds(1))
    }
    // The first time finds memory that is new to the process.
    _ = try evaluate(frames: 1)
    let cost = try TokenCost(evaluate(frames: 1), evaluate(frames: 5))
    let evaluation = Duration.seconds(
      cost.seconds(networks.tokenCount(frames: blending.length)))
    let clock = ContinuousClock()
    let blank = [Float](repeating: 0, count: tiling.pictureCount)
    var latent: [Float] = []
    let encode = try clock.measure {
      latent = try networks.coders.encode(frames: 1, { _ in blank }, step: { onEvaluation?() })
    }
    let decode = try clock.measure {
      try networks.coders.decode(latent) { _, _ in onEvaluation?() }
    }
    // Frames that two segments share are computed twice.
    let share = Double(blending.length) / Double(blending.advance)
    return Rehearsal(
      fuse: .zero, encode: encode * share,
      invert: evaluation * steps.count / blending.advance,
      sample: evaluation * 2 * steps.count, decode: decode * share,
      groupSize: blending.length, emitted: blending.advance)
  }

  // MARK: Other options

  func check(_ options: RestorationOptions, limits: MemoryLimits?) throws {
    try options.validate()
    var same = options
    same.guidance = self.options.guidance
    same.amount = self.options.amount
    guard same == self.options else {
      throw OptionError(
        "--method", options.method.rawValue,
        expected: "no change but of --guidance and --amount while it runs")
    }
  }

  func change(
    to options: RestorationOptions, limits: MemoryLimits?, emit: ([Float]) throws -> Void
  ) throws {
    try RefusedChange.because { try check(options, limits: limits) }
    try finish(emit: emit)
    self.options = options
  }
}
