import ControlProtocol
import Synchronization
import Video

/// Tells of late frames: of the first at once, of the others in one line every few seconds. From
/// any thread.
final class LateNotices: Sendable {
  private struct State {
    var told: ContinuousClock.Instant?
    var untold: (count: Int, first: Int, last: Int) = (0, 0, 0)
    var total = 0
  }

  private static let interval = Duration.seconds(5)
  private let action: Late.Action
  private let now: @Sendable () -> ContinuousClock.Instant
  private let report: @Sendable (Late) -> Void
  private let state = Mutex(State())

  /// - Parameter report: is called by one thread at a time, and must not call this object.
  init(
    _ whenLate: WhenLate, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
    report: @escaping @Sendable (Late) -> Void
  ) {
    self.now = now
    action = whenLate == .skip ? .skipped : .passedThrough
    self.report = report
  }

  func add(_ frame: Frame) {
    state.withLock { state in
      state.total += 1
      if state.untold.count == 0 { state.untold.first = frame.number }
      state.untold.count += 1
      state.untold.last = frame.number
      reportDue(&state)
    }
  }

  /// Tells of those that were not yet told of, if that has been long enough ago.
  func reportDue() { state.withLock { reportDue(&$0) } }

  /// Tells of those that were not yet told of.
  func reportRest() { state.withLock { reportRest(&$0) } }

  private func reportDue(_ state: inout State) {
    guard state.untold.count > 0 else { return }
    let now = now()
    if let told = state.told, told.duration(to: now) < Self.interval { return }
    state.told = now
    reportRest(&state)
  }

  private func reportRest(_ state: inout State) {
    let untold = state.untold
    guard untold.count > 0 else { return }
    report(
      Late(
        first: untold.first, last: untold.last, count: untold.count, total: state.total,
        action: action))
    state.untold.count = 0
  }
}

extension Late {
  /// For a person.
  var line: String {
    let which = count == 1 ? "frame \(first)" : "\(count) frames from \(first) to \(last)"
    let verb = action == .skipped ? "left out" : "passed through unrestored"
    return "late: \(which) \(verb), \(total) so far"
  }
}
