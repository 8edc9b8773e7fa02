import Glibc
import Kernels
import ModelFiles
import Video

/// The way of the frames through the program: a reader, the computing and a writer, each a thread, joined by short
/// queues.
///
/// All that ends the stream travels the same way as the frames and behind them: the end itself, an error of the reader or
/// of the computing reach the writer when everything before has been written. The writer has the last word; when it is
/// done or fails, so is the process, whatever the others are at.
struct FramePath: Sendable {
  private let settings: Settings
  private let stop: StopSignal
  private let opened = BoundedQueue<StreamFormat>(capacity: 1)
  private let incoming: BoundedQueue<Arrival>
  private let announced = BoundedQueue<StreamFormat>(capacity: 1)
  // One frame waits while another is written: enough that the pipe does not hold the computing up.
  private let outgoing = BoundedQueue<Departure>(capacity: 2)
  private let statistics = StreamStatistics()

  init(_ settings: Settings) throws(VideoError) {
    self.settings = settings
    stop = try StopSignal()
    incoming = BoundedQueue(capacity: settings.incomingCapacity)
  }

  /// Restores stdin to stdout until the stream ends, or a signal ends it. To be called once.
  /// - Throws: what ended the stream before its time. All frames before the fault have been written.
  func run() throws {
    if let refusal = settings.sandbox.forbidChanges() { announce(refusal) }
    try stop.take(announce: announce)
    try PlainThread.start(name: "reader") { read() }
    try PlainThread.start(name: "compute", stackByteCount: 64 << 20) { compute() }
    try write()
  }

  private func announce(_ line: String) {
    if !settings.isQuiet { Messages.standard.tell(line) }
  }

  private func read() {
    let source = ByteSource(descriptor: STDIN_FILENO, interruption: stop.interruption)
    do {
      let reader = try settings.input.open(source)
      opened.send(reader.format)
      opened.finish()
      let intake = Intake(
        incoming, whenLate: settings.whenLate, statistics: statistics, announce: announce)
      while let frame = try reader.next() { intake.take(frame) }
      incoming.finish()
    } catch {
      // Stopped inside a header: there is no stream, and nothing is wrong.
      let fault = source.wasInterrupted ? nil : error
      opened.finish(throwing: fault)
      incoming.finish(throwing: fault)
    }
  }

  private func compute() {
    do {
      let model = try settings.openModel()
      let device = try CPUDevice(precision: settings.precision, threads: settings.threads)
      guard let format = try opened.receive() else { return announced.finish() }
      let stream = try StreamRestoration(
        format, model: model, options: settings.options(for: model), device: device,
        statistics: statistics, limits: settings.memory, waiting: waiting(format))
      announce(stream.memoryLine)
      if let refusal = settings.sandbox.forbidOpenings() { announce(refusal) }
      announced.send(stream.outputFormat)
      announced.finish()
      let fault = try restoreAll(by: stream)
      outgoing.finish(throwing: fault)
    } catch {
      announced.finish(throwing: error)
      outgoing.finish(throwing: error)
    }
  }

  /// How many frames can be outside of the restoration at a time: in the lines, in the reader's and in the writer's
  /// hands.
  private func waiting(_ format: StreamFormat) -> (incoming: Int, outgoing: Int) {
    let late =
      settings.whenLate == .passthrough
      ? Intake.heldLimit(frameByteCount: format.layout.byteCount) : 0
    return (incoming.capacity + 1 + late, outgoing.capacity + 1)
  }

  /// Restores every frame that comes.
  /// - Returns: what ended the stream before its time; all frames before that are restored.
  private func restoreAll(by stream: StreamRestoration) throws -> (any Error)? {
    while true {
      let arrival: Arrival?
      do { arrival = try incoming.receive() } catch {
        try stream.finish(emit: outgoing.send)
        return error
      }
      guard let arrival else { break }
      try stream.take(arrival, emit: outgoing.send)
    }
    try stream.finish(emit: outgoing.send)
    return nil
  }

  private func write() throws {
    guard let format = try announced.receive() else { return }
    let writer = try FrameWriter(ByteSink(descriptor: STDOUT_FILENO), format)
    var progress = Progress(
      isQuiet: settings.isQuiet, rate: format.frameRate, statistics: statistics)
    while let departure = try outgoing.receive() {
      try writer.write(departure.frame)
      let latency = departure.arrival.duration(to: writer.firstByteInstant)
      statistics.update {
        $0.framesWritten += 1
        $0.latency.add(latency)
      }
      progress.wrote()
    }
    try writer.finish()
    progress.end()
  }
}
