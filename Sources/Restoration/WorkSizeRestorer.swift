import DequeModule
import Kernels
import ModelFiles

/// Restores a stream of frames by a ``Restorer`` for the size that the options say: the frames' own,
/// or a smaller one, and then carries over to the frames what was changed there.
///
/// What is wrong with the whole of a picture is seen in a small one as well, at the size that the
/// networks were trained at, and these take no longer however large the frames are.
final class WorkSizeRestorer: FrameRestorer {
  private let model: ModelFolder
  private let device: any Device
  /// Of a frame, in pixels.
  private let width, height: Int
  private var limits: MemoryLimits
  /// Nil only while another takes its place.
  private var restorer: Restorer!
  /// Nil where frames are what the networks make of them.
  private var transfer: (any GuidedTransfer)?
  /// The scene of the frames that were carried over to: ``Restorer/scene``.
  private var scene = 0

  /// A frame that came, and what the restorer got of it.
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
  /// Options and limits of another size for which there was room, so that asking again takes no
  /// planning.
  private var planned: (options: RestorationOptions, limits: MemoryLimits)?

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

  var options: RestorationOptions { restorer.options }
  var statistics: RestorationStatistics {
    var statistics = restorer.statistics
    statistics.carry = carrying
    return statistics
  }
  var latency: Int? { restorer.latency }

  var memory: MemoryEstimate {
    let own = ownByteCount(options)
    return restorer.memory.adding(frames: own.all, furtherFrame: own.perFrame)
  }

  var onEvaluation: (() -> Void)? {
    get { restorer.onEvaluation }
    set { restorer.onEvaluation = newValue }
  }

  func push(_ rgb: [Float], emit: ([Float]) throws -> Void) throws {
    guard let transfer else { return try restorer.push(rgb, emit: emit) }
    var next = free.popLast() ?? Held(reduced: Array(repeating: 0, count: transfer.reducedCount))
    // Copied: were the caller's memory shared, it would be copied whenever the caller writes there.
    next.frame.removeAll(keepingCapacity: true)
    next.frame.append(contentsOf: rgb)
    next.reduction = ContinuousClock().measure { transfer.reduce(rgb, into: &next.reduced) }
    // The frame belongs to the queue alone: it is changed there, and would else be copied first.
    let reduced = next.reduced
    held.append(consume next)
    try restorer.push(reduced) { try give($0, emit) }
  }

  func finish(emit: ([Float]) throws -> Void) throws {
    try restorer.finish { try give($0, emit) }
  }

  /// Gives the oldest frame, of which this was restored.
  private func give(_ restored: [Float], _ emit: ([Float]) throws -> Void) throws {
    guard let transfer else { return try emit(restored) }
    var oldest = held.removeFirst()
    if restorer.scene != scene {
      scene = restorer.scene
      transfer.forget()
    }
    let duration = ContinuousClock().measure {
      transfer.carryOver(from: oldest.reduced, to: restored, into: &oldest.frame)
    }
    carrying.add(oldest.reduction + duration)
    try emit(oldest.frame)
    free.append(oldest)
  }

  func warmUp() throws { try restorer.warmUp() }

  func rehearse() throws -> Rehearsal {
    var rehearsal = try restorer.rehearse()
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
    if fits(options) { return try restorer.check(options, limits: limits) }
    try options.validate(enlargementOf: self.options)
    if let planned, planned == (options, limits) { return }
    let size = options.workingSize(width: width, height: height)
    // Weights in layouts that this size needs and the one in effect does not.
    defer { device.discardUnusedWeights() }
    try Restorer.checkPlan(
      model: model, options: options, width: size.width, height: size.height, device: device,
      limits: limits)
    planned = (options, limits)
    onEvaluation?()
  }

  func change(
    to options: RestorationOptions, limits: MemoryLimits?, emit: ([Float]) throws -> Void
  ) throws -> (any Error)? {
    let limits = limits ?? self.limits
    // What could be followed when it was asked for may not be by networks that were planned anew
    // since: then they are once more.
    if fits(options), (try? restorer.check(options, limits: rest(of: limits, options))) != nil {
      try finish(emit: emit)
      let former = self.options
      adopt(options)
      let reason = try restorer.change(
        to: options, limits: rest(of: limits, options), emit: emit)
      if reason == nil { self.limits = limits } else { adopt(former) }
      return reason
    }
    // Whether there is room is found when it is tried: planning it beforehand takes as long again.
    try options.validate()
    try options.validate(enlargementOf: self.options)
    try finish(emit: emit)
    let (former, progress) = (self.options, restorer.progress)
    do {
      try begin(options, limits, after: progress)
      return nil
    } catch {
      try begin(former, self.limits, after: progress)
      return error
    }
  }

  /// Whether the networks are planned for these options' size.
  private func fits(_ options: RestorationOptions) -> Bool {
    options.workingSize(width: width, height: height)
      == self.options.workingSize(width: width, height: height)
  }

  /// Has the frames that follow restored by these options.
  /// - Precondition: none is held.
  private func begin(
    _ options: RestorationOptions, _ limits: MemoryLimits, after progress: Restorer.Progress?
  ) throws {
    // What is held would else be there beside what takes its place.
    restorer = nil
    transfer = nil
    free = []
    planned = nil
    device.releaseWorkspace()
    let size = options.workingSize(width: width, height: height)
    restorer = try Restorer(
      model: model, options: options, width: size.width, height: size.height, device: device,
      limits: rest(of: limits, options))
    if let progress { restorer.goOn(from: progress) }
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

  /// What is left of the limits for the restorer.
  private func rest(of limits: MemoryLimits, _ options: RestorationOptions) -> MemoryLimits {
    let own = ownByteCount(options).all
    var rest = limits
    rest.total = limits.total.map { $0 - own }
    rest.beside += own
    return rest
  }
}
