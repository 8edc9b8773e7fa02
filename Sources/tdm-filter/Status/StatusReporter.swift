import ControlProtocol
import Glibc
import Logging
import Synchronization
import Video

/// Tells whoever wants to know how the program is: events for programs, a progress line for a
/// person, notifications for the service manager.
///
/// One thread of its own does the telling. The threads that frames pass never wait until something
/// is told: where the telling falls behind, events are lost and counted, and no frame is late for
/// it.
final class StatusReporter: Sendable {
  /// Where the telling goes.
  struct Outlets: Sendable {
    /// A line that is rewritten, one now and then, or ffmpeg's blocks.
    enum Display: Sendable { case none, line, lines, blocks }

    /// Takes events as JSON Lines.
    var descriptor: Int32?
    /// What stderr shows of the progress.
    var display = Display.none
    var messages = Messages.standard
  }

  /// Between two looks at how far the stream has come.
  private static let period = Duration.milliseconds(500)
  /// Between two texts for the service manager.
  private static let serviceStatusPeriod = Duration.seconds(5)
  /// How long the last lines may take to be read once everything else is done.
  private static let lastPatience = Duration.seconds(1)

  let statistics = StreamStatistics()
  let logger: Logger
  /// Nil where no service manager asks.
  let notifier: ServiceNotifier?

  private struct Stamped: Sendable {
    let event: Event
    let seconds: Double
  }

  private struct Ending: Sendable {
    var reason: End.Reason?
    var failure: Failure?
    var isTold = false
  }

  private let outlets: Outlets
  private let start = ContinuousClock.now
  private let handover = BoundedQueue<Stamped>(capacity: 256)
  /// Events that found no room, and those of them that are not yet told of.
  private let lostEver = Atomic<Int>(0)
  private let lostSinceTold = Atomic<Int>(0)
  private let wakeup: Wakeup
  private let flow = Mutex<StreamFlow?>(nil)
  private let ending = Monitor(Ending())
  private let isStopping = Atomic<Bool>(false)
  /// In a structure: a function that a generic type keeps by itself is wrapped anew each time that
  /// it is taken out, and would in the end fill the stack.
  private struct Observer: Sendable {
    let tell: @Sendable (Event.Name, [UInt8]) -> Void
  }

  private let observer = Mutex<Observer?>(nil)
  private let lateNotices = Mutex<LateNotices?>(nil)

  init(_ outlets: Outlets, logger: Logger, notifier: ServiceNotifier?) throws(Failure) {
    self.outlets = outlets
    self.logger = logger
    self.notifier = notifier
    wakeup = try Wakeup()
  }

  /// Has every event brought to `observer`, too, which must not block.
  func observe(by tell: @escaping @Sendable (Event.Name, [UInt8]) -> Void) {
    observer.withLock { $0 = Observer(tell: tell) }
  }

  /// Begins to tell. To be called once.
  func run() throws(Failure) {
    try PlainThread.start(name: "status", stackByteCount: 512 << 10) { [self] in tell() }
  }

  // MARK: From any thread, without waiting

  func post(_ event: Event) {
    if !handover.offer(Stamped(event: event, seconds: secondsSinceStart)) {
      lostEver.add(1, ordering: .relaxed)
      lostSinceTold.add(1, ordering: .relaxed)
    }
    wakeup.signal()
  }

  /// Something is amiss that does not end the stream.
  func warn(_ line: String) {
    logger.warning("\(line)")
    post(.warning(line))
  }

  /// Frames flow from now on.
  func becomeReady(_ flow: StreamFlow) {
    self.flow.withLock { $0 = flow }
    post(.ready)
  }

  /// What tells of late frames, also while no frames come. To be called once.
  func lateNotices(_ whenLate: WhenLate) -> LateNotices {
    // Both live as long as the process.
    let notices = LateNotices(whenLate) { [self] late in
      logger.notice("\(late.line)")
      post(.late(late))
    }
    lateNotices.withLock { $0 = notices }
    return notices
  }

  /// Nothing more will be read.
  func beginStopping() {
    if !isStopping.exchange(true, ordering: .relaxed) { notifier?.send("STOPPING=1") }
  }

  /// Events that found no room.
  var lostEventCount: Int { lostEver.load(ordering: .relaxed) }

  /// How far the stream has come.
  var progress: Progress { progress(flow.withLock { $0 }) }

  // MARK: At the end

  /// Tells how it all ended, and waits until that is told, but not for long where nobody listens.
  func end(_ reason: End.Reason, _ failure: Failure? = nil) {
    beginStopping()
    ending.change { state in
      state.reason = reason
      state.failure = failure
    }
    wakeup.signal()
    _ = ending.wait(until: \.isTold, within: Self.lastPatience * 2, then: { _ in })
  }

  // MARK: The telling, on its own thread

  private func tell() {
    var descriptor = outlets.descriptor.map(StatusDescriptor.init)
    var shown = -1
    var rareLines = RareLines()
    var nextLook = ContinuousClock.now
    var nextServiceStatus = nextLook
    while true {
      wakeup.clear()
      lateNotices.withLock { $0 }?.reportDue()
      // Asked before the events are taken: what was posted before the end is told before it.
      let ending = ending.change { $0 }
      while let stamped = handover.takeIfThere() {
        tell(stamped.event, at: stamped.seconds, on: &descriptor)
        if case .ready = stamped.event { notifier?.send("READY=1", patience: Self.lastPatience) }
      }
      let lost = lostSinceTold.exchange(0, ordering: .relaxed)
      if lost > 0 { tell(.lost(count: lost), on: &descriptor) }
      if let reason = ending.reason {
        tellEnd(reason, ending.failure, on: &descriptor)
        return
      }
      if ContinuousClock.now >= nextLook, let flow = flow.withLock({ $0 }) {
        nextLook = .now + Self.period
        let progress = progress(flow)
        if progress.framesIn + progress.framesOut != shown {
          shown = progress.framesIn + progress.framesOut
          tell(.progress(progress), on: &descriptor)
          display(progress, flow)
          if outlets.display == .lines, rareLines.isDue(at: .seconds(progress.seconds)) {
            logger.info("\(ProgressText.line(progress, flow))")
          }
        }
        // Also while no frames move: who asks for it then wants to know that.
        if let notifier, ContinuousClock.now >= nextServiceStatus {
          nextServiceStatus = .now + Self.serviceStatusPeriod
          notifier.send("STATUS=" + ProgressText.line(progress, flow))
        }
      }
      descriptor?.flush()
      tellFailure(of: &descriptor)
      wait(for: descriptor)
    }
  }

  private func tellFailure(of descriptor: inout StatusDescriptor?) {
    guard let error = descriptor?.takeFailure() else { return }
    logger.warning(
      "--status-fd: events cannot be written (\(String(cString: strerror(error)))), and no more are"
    )
  }

  private func tell(_ event: Event, on descriptor: inout StatusDescriptor?) {
    tell(event, at: secondsSinceStart, on: &descriptor)
  }

  private func tell(_ event: Event, at seconds: Double, on descriptor: inout StatusDescriptor?) {
    let line = event.line(at: seconds)
    descriptor?.write(line, at: seconds, isLast: event.name == .end)
    tellFailure(of: &descriptor)
    observer.withLock { $0 }?.tell(event.name, line)
  }

  private func tellEnd(
    _ reason: End.Reason, _ failure: Failure?, on descriptor: inout StatusDescriptor?
  ) {
    let flow = flow.withLock { $0 }
    let progress = progress(flow)
    // What is left of a file is not restored any more.
    var totals = progress
    totals.secondsLeft = nil
    if outlets.display == .blocks {
      outlets.messages.print(ProgressText.block(progress, flow, isLast: true))
    } else {
      display(progress, flow)
    }
    if failure == nil, flow != nil {
      logger.info(
        "done: \(ProgressText.line(progress, flow, isLast: true))\(ProgressText.latency(statistics.counts.latency))"
      )
    }
    outlets.messages.endLine()
    tell(
      .end(
        End(
          reason: reason, status: Int((failure?.status ?? .done).rawValue),
          message: failure?.description, totals: totals,
          lostEvents: lostEventCount + (descriptor?.lostCount ?? 0))),
      on: &descriptor)
    let deadline = ContinuousClock.now + Self.lastPatience
    while let behind = descriptor, behind.isBehind, ContinuousClock.now < deadline {
      wait(for: descriptor, atMost: .milliseconds(50))
      descriptor?.flush()
    }
    ending.change { $0.isTold = true }
  }

  private func display(_ progress: Progress, _ flow: StreamFlow?) {
    switch outlets.display {
    case .none, .lines: break
    case .line: outlets.messages.show(ProgressText.line(progress, flow))
    case .blocks:
      outlets.messages.print(ProgressText.block(progress, flow, isLast: false))
    }
  }

  /// Waits for something to tell, for room where there was none, or for the next look.
  private func wait(for descriptor: StatusDescriptor?, atMost limit: Duration = period) {
    let behind = descriptor.flatMap { $0.isBehind ? $0.descriptor : nil } ?? -1
    var waited = [
      pollfd(fd: wakeup.descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: behind, events: Int16(POLLOUT), revents: 0),
    ]
    _ = poll(&waited, 2, Int32(limit / .milliseconds(1)))
  }

  private func progress(_ flow: StreamFlow?) -> Progress {
    let counts = statistics.counts
    var progress = Progress(
      framesIn: counts.framesRead, framesOut: counts.framesWritten,
      framesSkipped: counts.framesSkipped, framesPassedThrough: counts.framesPassedThrough,
      sceneCuts: counts.restoration.sceneCuts,
      seconds: flow.map { $0.start.duration(to: .now) / .seconds(1) } ?? 0)
    progress.secondsLeft = flow?.secondsLeft(after: progress)
    return progress
  }

  var secondsSinceStart: Double { start.duration(to: .now) / .seconds(1) }
}
