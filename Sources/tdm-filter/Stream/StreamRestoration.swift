import DequeModule
import Kernels
import ModelFiles
import Restoration
import TensorCore
import Video

/// Restores the frames of one stream: from the stream's format to the model's RGB, through a
/// restorer, and back. Late frames pass beside it, in their place.
///
/// One thread, the device's.
final class StreamRestoration {
  /// The input's format; where the task enlarges, with the larger size.
  let outputFormat: StreamFormat

  /// Bytes that frames take outside of the restorer, and what that holds.
  var memory: (frames: Int, restorer: MemoryEstimate) {
    (frameMemory.total(with: options), restorer.memory)
  }

  private let frameMemory: FrameMemory
  private let decoder: FrameDecoder
  private let encoder: FrameEncoder
  private let enlargement: BicubicEnlargement?
  /// Nil where frames have nothing beyond RGB's range.
  private var excess: (any ExcessReturn)?
  private let restorer: any FrameRestorer
  private let statistics: StreamStatistics
  /// Frames that have come and not yet left, oldest first: what goes out takes number, parameters
  /// and alpha from them.
  private var held: Deque<Arrival> = []
  private var decoded: [Float] = []
  private var enlarged: [Float] = []
  /// A frame on its way out, and the one that came, decoded again: colours beyond RGB's range are
  /// not kept as long as it is restored.
  private var finished: [Float] = []
  private var source: [Float] = []
  /// The same of a frame that is passed through while another is restored.
  private var passed: (decoded: [Float], enlarged: [Float]) = ([], [])

  /// - Parameters:
  ///   - statistics: told what the restorer has done and which late frames have left.
  ///   - limits: of memory, for all that the stream holds.
  ///   - whenLate: says how many frames wait for this object.
  ///   - isChangeable: whether clients may have it restored by other options.
  /// - Throws: ``ModelError``, ``OptionError`` or ``KernelError`` where the model cannot be run so;
  ///   ``VideoError`` where the enlarged picture would be too large; ``InsufficientMemory``.
  init(
    _ format: StreamFormat, model: ModelFolder, options: RestorationOptions, device: any Device,
    statistics: StreamStatistics, limits: MemoryLimits = MemoryLimits(),
    whenLate: WhenLate = .wait, isChangeable: Bool = false
  ) throws {
    let factor = options.task.enlargement
    outputFormat = try format.enlarged(by: factor)
    let threads = device.threadCount
    decoder = try FrameDecoder(format, threads: threads)
    encoder = try FrameEncoder(outputFormat, from: format, threads: threads)
    enlargement =
      factor == 1
      ? nil
      : BicubicEnlargement(
        width: format.size.width, height: format.size.height, factor: factor, threads: threads)
    // Of a frame that is restored, and of one that is passed through enlarged meanwhile.
    let decodedCount = factor > 1 && whenLate == .passthrough ? 2 : 1
    let pictures =
      decodedCount * 3
      * (format.size.pixelCount + (factor == 1 ? 0 : outputFormat.size.pixelCount))
    excess =
      if format.pixelFormat.isRGB {
        nil
      } else if factor == 1 {
        RangeExcess(format.size, threads: threads)
      } else {
        EnlargedExcess(format.size, factor: factor, threads: threads)
      }
    let outgoingCount =
      outputFormat.size.pixelCount + (excess == nil ? 0 : format.size.pixelCount)
    let outgoing =
      3 * outgoingCount * MemoryLayout<Float>.size + (excess?.bufferByteCount ?? 0)
    frameMemory = FrameMemory(
      program: FrameMemory.programByteCount + (isChangeable ? FrameMemory.changesByteCount : 0),
      limits: limits, whenLate: whenLate, inputFrame: format.layout.byteCount,
      outputFrame: outputFormat.layout.byteCount,
      pictures: pictures * MemoryLayout<Float>.size + outgoing + decoder.bufferByteCount
        + encoder.bufferByteCount)
    restorer = try options.makeRestorer(
      model: model, width: outputFormat.size.width, height: outputFormat.size.height,
      device: device, limits: frameMemory.rest(with: options))
    self.statistics = statistics
  }

  /// Bytes of all buffers: what the process holds beside the program itself.
  var bufferByteCount: Int { memory.frames + memory.restorer.total }

  /// `1.3 GiB at most`
  var memoryBound: String {
    let total = frameMemory.program + bufferByteCount
    let bound = memory.restorer.furtherFrame > 0 ? "for the first frame" : "at most"
    return "\(ByteCount(total)) \(bound)"
  }

  /// `100.0 MiB for the program, 200.0 MiB for frames on their way, restorer 1.0 GiB (...)`
  var memoryParts: String {
    "\(ByteCount(frameMemory.program)) for the program, "
      + "\(ByteCount(memory.frames)) for frames on their way, restorer \(memory.restorer)"
  }

  /// The restorer's numbers: see ``FrameRestorer``.
  var latency: Int? { restorer.options.latency }
  var options: RestorationOptions { restorer.options }
  var sceneCutCount: Int { restorer.statistics.sceneCuts }

  /// Called after each evaluation of a network.
  var onEvaluation: (() -> Void)? {
    get { restorer.onEvaluation }
    set { restorer.onEvaluation = newValue }
  }

  /// Measures each stage.
  func rehearse() throws -> Rehearsal { try restorer.rehearse() }

  /// - Throws: where it could not restore by these options.
  func check(_ options: RestorationOptions) throws {
    try restorer.check(options, limits: frameMemory.rest(with: options))
  }

  /// Gives the frames that are left, and restores those that follow by other options.
  /// - Throws: ``RefusedChange`` where the former options stay.
  func change(to options: RestorationOptions, emit: (Departure) -> Void) throws {
    // A restorer that has failed has none any more.
    func count() { statistics.update { $0.restoration = restorer.statistics } }
    do {
      try restorer.change(
        to: options, limits: frameMemory.rest(with: options)
      ) { try encode($0, emit) }
    } catch let refusal as RefusedChange {
      count()
      throw refusal
    }
    count()
  }

  /// Has every network run once, so that the first frame finds everything ready.
  func warmUp() throws { try restorer.warmUp() }

  /// Takes the next frame, to be restored or, where it is late, to be passed through; gives those
  /// that are done.
  func take(_ arrival: Arrival, emit: (Departure) -> Void) throws {
    // Another clip follows in the same stream: its frames read nothing of this one's.
    if arrival.beginsClip { try finish(emit: emit) }
    held.append(arrival)
    if arrival.isLate { return try passThrough(emit) }
    decoder.decode(arrival.frame, into: &decoded)
    RangeExcess.cut(&decoded)
    enlargement?(decoded, into: &enlarged)
    try restorer.push(enlargement == nil ? decoded : enlarged) { try encode($0, emit) }
    statistics.update { $0.restoration = restorer.statistics }
  }

  /// Gives the frames that are left.
  func finish(emit: (Departure) -> Void) throws {
    try restorer.finish { try encode($0, emit) }
    statistics.update { $0.restoration = restorer.statistics }
  }

  private func encode(_ rgb: [Float], _ emit: (Departure) -> Void) throws {
    let arrival = held.removeFirst()
    finished.removeAll(keepingCapacity: true)
    finished.append(contentsOf: rgb)
    giveBackExcess(of: arrival.frame, to: &finished)
    emit(
      Departure(
        frame: try encoder.encode(finished, from: arrival.frame), arrival: arrival.instant))
    try passThrough(emit)
  }

  private func giveBackExcess(of frame: Frame, to rgb: inout [Float]) {
    guard excess != nil else { return RangeExcess.cut(&rgb) }
    decoder.decode(frame, into: &source)
    excess?.giveBack(source, to: &rgb)
  }

  /// Gives the late frames that no other stands before.
  private func passThrough(_ emit: (Departure) -> Void) throws {
    while let arrival = held.first, arrival.isLate {
      held.removeFirst()
      emit(Departure(frame: try unrestored(arrival.frame), arrival: arrival.instant))
      statistics.update { $0.framesHeldLate -= 1 }
    }
  }

  /// The frame byte for byte; where the task enlarges, enlarged.
  private func unrestored(_ frame: Frame) throws -> Frame {
    guard let enlargement else { return frame }
    decoder.decode(frame, into: &passed.decoded)
    RangeExcess.cut(&passed.decoded)
    enlargement(passed.decoded, into: &passed.enlarged)
    giveBackExcess(of: frame, to: &passed.enlarged)
    return try encoder.encode(passed.enlarged, from: frame)
  }
}
