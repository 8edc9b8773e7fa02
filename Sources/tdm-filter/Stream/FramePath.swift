import ControlProtocol
import Glibc
import Kernels
import ModelFiles
import Restoration
import Video

/// The way of the frames through the program: a reader, the computing and a writer, each a thread,
/// joined by short queues.
///
/// All that ends the stream travels the same way as the frames and behind them: the end itself, an
/// error of the reader or of the computing reach the writer when everything before has been
/// written. The writer has the last word; when it is done or fails, so is the process, whatever the
/// others are at.
struct FramePath: Sendable {
  private let settings: Settings
  private let reporter: StatusReporter
  private let stop: StopSignal
  private let opened = BoundedQueue<Opened>(capacity: 1)
  private let incoming: BoundedQueue<Arrival>
  private let announced = BoundedQueue<StreamFormat>(capacity: 1)
  private let outgoing: BoundedQueue<Departure>
  /// Whether the stream's end was read, and not only what came before a signal.
  private let isReadToEnd = Monitor(false)
  /// Whether nothing more will be written.
  private let isWritten = Monitor(false)
  /// What clients want and may know.
  let desk: ControlDesk

  /// Frames that may wait for the writer: one while another is written is enough that the pipe does
  /// not hold the computing up.
  static let outgoingCapacity = 2

  /// What is known of the input when its header has been read.
  private struct Opened: Sendable {
    let format: StreamFormat
    /// How many frames there are in it, where it is a file.
    let fileFrameCount: Int?
  }

  init(_ settings: Settings, _ reporter: StatusReporter) throws(Failure) {
    self.settings = settings
    self.reporter = reporter
    let stop = try StopSignal()
    let incoming = BoundedQueue<Arrival>(capacity: settings.whenLate.fewestPlaces)
    let outgoing = BoundedQueue<Departure>(capacity: Self.outgoingCapacity)
    let announced = self.announced
    self.stop = stop
    self.incoming = incoming
    self.outgoing = outgoing
    desk = ControlDesk(
      ControlDesk.Levers(
        wake: { incoming.poke() },
        drain: {
          reporter.beginStopping()
          stop.request()
        },
        quit: {
          announced.abandon(throwing: Quit())
          outgoing.abandon(throwing: Quit())
        }))
  }

  /// Takes over the signals that end the program. To be called once, before any other thread is
  /// started.
  func takeSignals() throws(Failure) {
    try stop.take { line in
      desk.beginDraining()
      reporter.beginStopping()
      reporter.logger.notice("\(line)")
    }
  }

  /// Restores stdin to stdout until the stream ends, or a signal ends it. To be called once.
  /// - Returns: why it ended.
  /// - Throws: what ended the stream before its time. All frames before the fault have been
  ///   written.
  func run() throws -> End.Reason {
    try PlainThread.start(name: "reader") { read() }
    try PlainThread.start(name: "compute", stackByteCount: 64 << 20) { compute() }
    try write()
    let isWhole = isReadToEnd.change { $0 }
    guard stop.isRequested, !isWhole else {
      if reporter.statistics.counts.framesRead == 0 {
        reporter.warn("the input ended before its first frame: check what writes it")
      }
      return .endOfStream
    }
    return stop.isRequestedByClient ? .drain : .signal
  }

  private func read() {
    let byteCount = InputLength.bytesAhead(STDIN_FILENO)
    let source = ByteSource(descriptor: STDIN_FILENO, interruption: stop.interruption.descriptor)
    do {
      let reader = try settings.input.open(source)
      opened.send(
        Opened(
          format: reader.format,
          fileFrameCount: try InputLength.frameCount(byteCount, of: reader.format, in: source)))
      opened.finish()
      let intake = Intake(
        incoming, whenLate: settings.whenLate, statistics: reporter.statistics,
        notices: reporter.lateNotices(settings.whenLate))
      do {
        // Before the end is known: whoever it reaches ends the process.
        defer { intake.reportRest() }
        while let frame = try reader.next() { intake.take(frame) }
      }
      isReadToEnd.change { $0 = !source.wasInterrupted }
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
      guard let opened = try opened.receive() else {
        desk.close()
        return announced.finish()
      }
      let options = try settings.options(for: model)
      let live = try LiveOptions(settings, for: model)
      let stream = try StreamRestoration(
        opened.format, model: model, options: options, device: device,
        statistics: reporter.statistics, limits: settings.memory,
        whenLate: settings.whenLate, isChangeable: settings.isChangeable)
      reporter.logger.info("plan: \(RunPlan.line(stream, settings.preset, from: opened.format))")
      reporter.logger.debug("memory: \(stream.memoryParts)")
      let used = try options.model(within: model)
      for doubt in try settings.doubts(about: opened.format, isFile: opened.fileFrameCount != nil)
        + settings.doubts(about: used)
      {
        reporter.warn(doubt)
      }
      settings.forbidOpenings(reporter.logger)
      let frameCount = settings.expectedFrames ?? opened.fileFrameCount
      reporter.logger.debug(
        "planned", metadata: ["model": "\(used.name)", "options": "\(options.json.text)"])
      reporter.post(
        .hello(
          Hello(
            settings, stream, from: opened.format, frameCount: frameCount, model: used,
            device: device)))
      let loop = ComputeLoop(
        stream, options: live, whenLate: settings.whenLate,
        from: incoming, to: outgoing, reporter: reporter, desk: desk)
      try stream.warmUp()
      reporter.becomeReady(
        StreamFlow(
          start: .now, rate: opened.format.frameRate, frameCount: frameCount,
          isEstimate: settings.expectedFrames != nil))
      announced.send(stream.outputFormat)
      announced.finish()
      let fault = try loop.run()
      outgoing.finish(throwing: fault)
      // The last frames may have to wait long for their reader.
      isWritten.wait(until: { $0 }, idle: loop.watching, then: { _ in })
    } catch {
      desk.close()
      announced.finish(throwing: error)
      outgoing.finish(throwing: error)
    }
  }

  private func write() throws {
    defer { isWritten.change { $0 = true } }
    guard let format = try announced.receive() else { return }
    let writer = try FrameWriter(ByteSink(descriptor: STDOUT_FILENO), format)
    while let departure = try outgoing.receive() {
      try writer.write(departure.frame)
      let latency = departure.arrival.duration(to: writer.firstByteInstant)
      reporter.statistics.update {
        $0.framesWritten += 1
        $0.latency.add(latency)
      }
    }
    try writer.finish()
  }
}
