import ControlProtocol
import Restoration
import Video

/// The compute thread's work once everything is planned: it takes frames as they come, restores
/// them, and between two of them looks at what clients want.
final class ComputeLoop {
  private let stream: StreamRestoration
  private let whenLate: WhenLate
  private let incoming: BoundedQueue<Arrival>
  private let outgoing: BoundedQueue<Departure>
  private let reporter: StatusReporter
  private let desk: ControlDesk
  private var options: LiveOptions
  /// The number of the next frame that can be restored.
  private var next = 0

  init(
    _ stream: StreamRestoration, options: LiveOptions, whenLate: WhenLate,
    from incoming: BoundedQueue<Arrival>, to outgoing: BoundedQueue<Departure>,
    reporter: StatusReporter, desk: ControlDesk
  ) {
    self.stream = stream
    self.options = options
    self.whenLate = whenLate
    self.incoming = incoming
    self.outgoing = outgoing
    self.reporter = reporter
    self.desk = desk
    // From this thread: one of its own would go on while the computing hangs.
    stream.onEvaluation = showLife
    publish()
  }

  /// Restores every frame that comes.
  /// - Returns: what ended the stream before its time; all frames before that are restored.
  func run() throws -> (any Error)? {
    var fault: (any Error)?
    while true {
      let arrival: Arrival?
      do { arrival = try incoming.receive(idle: waiting) } catch {
        fault = error
        break
      }
      guard let arrival else { break }
      serve()
      desk.waitWhilePaused(waiting)
      try restore(arrival)
    }
    // No frame is left that a change could be for.
    desk.close()
    // Frames before a fault leave at once: the process ends.
    if fault == nil { desk.waitWhilePaused(watching) }
    try stream.finish(emit: emit)
    return fault
  }

  private func restore(_ arrival: Arrival) throws {
    let number = arrival.frame.number
    try bringIntoEffect(before: number)
    next = number + 1
    desk.advance(to: next)
    let sceneCuts = stream.sceneCutCount
    try stream.take(arrival, emit: emit)
    if stream.sceneCutCount != sceneCuts { reporter.post(.sceneCut(frame: number)) }
  }

  private func emit(_ departure: Departure) {
    outgoing.send(departure, idle: watching)
  }

  // MARK: Signs of life

  private var watchPeriod: Duration? { reporter.notifier?.watchdogTimeout.map { $0 / 4 } }
  var watching: Idle { Idle(period: watchPeriod, body: showLife) }
  private func showLife() { reporter.notifier?.showLife() }

  // MARK: What clients want

  /// What is done while no frame is there, or none is taken.
  private var waiting: Idle {
    Idle(period: watchPeriod) { [self] in
      showLife()
      serve()
    }
  }

  private func serve() {
    while let errand = desk.take() {
      do throws(Refusal) {
        let accepted = try options.accept(errand.change, next: next) { options in
          try whenLate.check(options)
          try stream.check(options)
        }
        publish()
        errand.answer(.success(accepted))
      } catch { errand.answer(.failure(error)) }
    }
  }

  /// Has the frames from this one on restored by other options, where a change is due: the window
  /// ends before it.
  private func bringIntoEffect(before number: Int) throws {
    var changed = options
    guard let change = changed.change(before: number) else { return }
    do {
      try stream.change(to: change.options, emit: emit)
      let known = options.doubts
      let former = options.options
      options = changed
      reporter.post(.changed(change))
      for doubt in options.doubts where !known.contains(doubt) { reporter.warn(doubt) }
      reporter.logger.notice(
        "from frame \(number) on by preset \(change.preset.rawValue), changed: \(change.options.differences(from: former).text)"
      )
    } catch let refusal as RefusedChange {
      options.forget(before: number)
      reporter.warn("the options stay as they were at frame \(number): \(refusal)")
    }
    publish()
  }

  /// Tells what is in effect and what will be; frames for the longest chunk of them find their
  /// places.
  private func publish() {
    let places = ([stream.options] + options.accepted.map(\.options)).map(whenLate.places)
    incoming.setCapacity(places.max()!)
    desk.publish(
      ControlDesk.View(
        preset: options.preset, options: stream.options,
        memory: stream.bufferByteCount,
        pending: options.accepted))
  }
}
