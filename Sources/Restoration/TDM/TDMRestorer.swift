import DequeModule
import Kernels
import ModelFiles

/// Restores a stream of frames by a ``TDMPipeline`` for the model and the size that the options
/// say: the frames' own, or a smaller one, and then carries over to the frames what was changed
/// there.
///
/// What is wrong with the whole of a picture is seen in a small one as well, at the size that the
/// networks were trained at, and these take no longer however large the frames are.
final class TDMRestorer: FrameRestorer {
  private let model: ModelFolder
  private let device: any Device
  /// Of a frame, in pixels.
  private let width, height: Int
  private var limits: MemoryLimits
  /// Nil only while another takes its place.
  private(set) var pipeline: TDMPipeline!
  /// Nil where frames are what the networks make of them.
  private var transfer: (any GuidedTransfer)?
  /// The scene of the frames that were carried over to: ``TDMPipeline/scene``.
  private var scene = 0

  /// A frame that came, and what the pipeline got of it.
  private struct Held {
    var frame: [Float] = []
    var reduced: [Float] = []
    /// How long that took.
    var reduction = Duration.zero
  }

  /// Oldest first.
  private var held: Deque<Held> = []
  private var free: [Held] = []
  /// How long it took to reduce frames and to carry over to them.
  private var carrying = DurationHistogram()
  /// Options and limits of another size or model for which there was room, so that asking again
  /// takes no planning; and their networks, where there is room for them beside those in effect, so
  /// that the change takes none either.
  private(set) var planned:
    (options: RestorationOptions, limits: MemoryLimits, plan: TDMPipeline.Plan?)?

  /// - Throws: as ``RestorationOptions/makeRestorer(model:width:height:device:limits:)`` does.
  init(
    model: ModelFolder, options: RestorationOptions, width: Int, height: Int, device: any Device,
    limits: MemoryLimits
  ) throws {
    self.model = model
    self.device = device
    self.width = width
    self.height = height
    self.limits = limits
    try begin(options, limits, after: nil)
  }

  var options: RestorationOptions { pipeline.options }
  var statistics: RestorationStatistics {
    var statistics = pipeline.statistics
    statistics.carry = carrying
    return statistics
  }

  var memory: MemoryEstimate {
    let own = ownByteCount(options)
    return pipeline.memory.adding(frames: own.all, furtherFrame: own.perFrame)
  }

  var onEvaluation: (() -> Void)? {
    get { pipeline.onEvaluation }
    set { pipeline.onEvaluation = newValue }
  }

  func push(_ rgb: [Float], emit: ([Float]) throws -> Void) throws {
    guard let transfer else { return try pipeline.push(rgb, emit: emit) }
    var next = free.popLast() ?? Held(reduced: Array(repeating: 0, count: transfer.reducedCount))
    // Copied: were the caller's memory shared, it would be copied whenever the caller writes there.
    next.frame.removeAll(keepingCapacity: true)
    next.frame.append(contentsOf: rgb)
    next.reduction = ContinuousClock().measure { transfer.reduce(rgb, into: &next.reduced) }
    // The frame belongs to the queue alone: it is changed there, and would else be copied first.
    let reduced = next.reduced
    held.append(consume next)
    try pipeline.push(reduced) { try give($0, emit) }
  }

  func finish(emit: ([Float]) throws -> Void) throws {
    try pipeline.finish { try give($0, emit) }
  }

  /// Gives the oldest frame, of which this was restored.
  private func give(_ restored: [Float], _ emit: ([Float]) throws -> Void) throws {
    guard let transfer else { return try emit(restored) }
    var oldest = held.removeFirst()
    if pipeline.scene != scene {
      scene = pipeline.scene
      transfer.forget()
    }
    let duration = ContinuousClock().measure {
      transfer.carryOver(from: oldest.reduced, to: restored, into: &oldest.frame)
    }
    carrying.add(oldest.reduction + duration)
    try emit(oldest.frame)
    free.append(oldest)
  }

  func warmUp() throws { try pipeline.warmUp() }

  func rehearse() throws -> Rehearsal {
    var rehearsal = try pipeline.rehearse()
    guard let transfer else { return rehearsal }
    var blank = Held(
      frame: Array(repeating: 0, count: width * height * 3),
      reduced: Array(repeating: 0, count: transfer.reducedCount))
    let target = blank.reduced
    // The first round finds memory that is new to the process.
    for _ in 0..<2 {
      rehearsal.carry = ContinuousClock().measure {
        transfer.reduce(blank.frame, into: &blank.reduced)
        transfer.carryOver(from: blank.reduced, to: target, into: &blank.frame)
      }
    }
    transfer.forget()
    return rehearsal
  }

  // MARK: Other options

  func check(_ options: RestorationOptions, limits: MemoryLimits?) throws {
    let limits = rest(of: limits ?? self.limits, options)
    if fits(options) {
      do {
        return try pipeline.check(options, limits: limits)
      } catch is InsufficientMemory where planned?.plan != nil {
        // What is kept for another change takes room: it is made again when that comes.
        planned?.plan = nil
        device.discardUnusedWeights()
        return try pipeline.check(options, limits: limits)
      }
    }
    try options.validate(asSuccessorOf: self.options)
    if let planned, (planned.options, planned.limits) == (options, limits) { return }
    planned = nil
    device.discardUnusedWeights()
    // Those that only these options need, where they are not kept.
    defer { device.discardUnusedWeights() }
    // Another model's take the place of those in effect.
    let replaced = options.innerModel == self.options.innerModel ? 0 : device.weightByteCount
    let plan = try self.plan(options, limits, replacedWeights: replaced)
    let isRoom = pipeline.memory.total + plan.estimate.weights <= limits.total ?? .max
    planned = (options, limits, isRoom ? plan : nil)
    onEvaluation?()
  }

  func change(
    to options: RestorationOptions, limits: MemoryLimits?, emit: ([Float]) throws -> Void
  ) throws {
    let limits = limits ?? self.limits
    // What could be followed when it was asked for may not be by networks that were planned anew
    // since: then they are once more.
    if fits(options), (try? pipeline.check(options, limits: rest(of: limits, options))) != nil {
      try finish(emit: emit)
      let former = self.options
      adopt(options)
      do {
        try pipeline.change(to: options, limits: rest(of: limits, options), emit: emit)
      } catch let refusal as RefusedChange {
        adopt(former)
        throw refusal
      }
      self.limits = limits
      return
    }
    // Whether there is room is found when it is tried: planning it beforehand, where that was not
    // done yet, takes as long again.
    try RefusedChange.because {
      try options.validate()
      try options.validate(asSuccessorOf: self.options)
    }
    try finish(emit: emit)
    let (former, progress) = (self.options, pipeline.progress)
    do {
      try begin(options, limits, after: progress)
    } catch {
      try begin(former, self.limits, after: progress)
      throw RefusedChange(reason: error)
    }
  }

  private func plan(
    _ options: RestorationOptions, _ limits: MemoryLimits, replacedWeights: Int = 0
  ) throws -> TDMPipeline.Plan {
    let size = options.workingSize(width: width, height: height)
    return try TDMPipeline.plan(
      model: options.model(within: model), options: options, width: size.width,
      height: size.height, device: device, limits: limits, replacedWeights: replacedWeights)
  }

  /// Whether the networks are those of these options' model, planned for their size.
  private func fits(_ options: RestorationOptions) -> Bool {
    options.innerModel == self.options.innerModel
      && options.workingSize(width: width, height: height)
        == self.options.workingSize(width: width, height: height)
  }

  /// Has the frames that follow restored by these options.
  /// - Precondition: none is held.
  private func begin(
    _ options: RestorationOptions, _ limits: MemoryLimits, after progress: TDMPipeline.Progress?
  ) throws {
    let rest = rest(of: limits, options)
    let ready = planned.flatMap { ($0.options, $0.limits) == (options, rest) ? $0.plan : nil }
    // What is held would else be there beside what takes its place.
    let isOtherModel = pipeline.map { $0.options.innerModel != options.innerModel } ?? false
    pipeline = nil
    transfer = nil
    free = []
    planned = nil
    device.releaseWorkspace()
    if isOtherModel { device.discardUnusedWeights() }
    ready?.networks.forgetReplaced()
    pipeline = try TDMPipeline(ready ?? plan(options, rest))
    if let progress { pipeline.goOn(from: progress) }
    self.limits = limits
    adopt(options)
    onEvaluation?()
  }

  /// Has what is restored by these options carried over, or not.
  /// - Precondition: no frame is held.
  private func adopt(_ options: RestorationOptions) {
    // As many as the former options wanted.
    free = []
    if options.workSize == 0 {
      transfer = nil
    } else if transfer == nil {
      let size = options.workingSize(width: width, height: height)
      transfer = device.makeGuidedTransfer(
        size: (height, width), reduced: (size.height, size.width))
    }
  }

  // MARK: Memory

  /// Bytes of the frames that wait for what is restored of them, and of what carries it over.
  private func ownByteCount(_ options: RestorationOptions) -> (all: Int, perFrame: Int) {
    guard options.workSize > 0 else { return (0, 0) }
    let size = options.workingSize(width: width, height: height)
    let perFrame = (width * height + size.width * size.height) * 3 * MemoryLayout<Float>.size
    let scratch = device.guidedTransferByteCount(
      size: (height, width), reduced: (size.height, size.width))
    return ((options.heldCount + options.fusionAhead) * perFrame + scratch, perFrame)
  }

  /// What is left of the limits for the pipeline.
  private func rest(of limits: MemoryLimits, _ options: RestorationOptions) -> MemoryLimits {
    let own = ownByteCount(options).all
    var rest = limits
    rest.total = limits.total.map { $0 - own }
    rest.beside += own
    return rest
  }
}
