import ControlProtocol
import Video

/// Tells of late frames: of the first at once, of the others in one line every few seconds.
struct LateNotices {
  private let interval: Duration
  private let action: Late.Action
  private let report: (Late) -> Void
  private var told: ContinuousClock.Instant?
  private var untold: (count: Int, first: Int, last: Int) = (0, 0, 0)
  private var total = 0

  init(
    _ whenLate: WhenLate, every interval: Duration = .seconds(5),
    report: @escaping (Late) -> Void
  ) {
    self.interval = interval
    action = whenLate == .skip ? .skipped : .passedThrough
    self.report = report
  }

  mutating func add(_ frame: Frame) {
    total += 1
    if untold.count == 0 { untold.first = frame.number }
    untold.count += 1
    untold.last = frame.number
    reportDue()
  }

  /// Tells of those that were not yet told of, if that has been long enough ago.
  mutating func reportDue() {
    guard untold.count > 0 else { return }
    let now = ContinuousClock.now
    if let told, told.duration(to: now) < interval { return }
    told = now
    reportRest()
  }

  /// Tells of those that were not yet told of.
  mutating func reportRest() {
    guard untold.count > 0 else { return }
    report(
      Late(
        first: untold.first, last: untold.last, count: untold.count, total: total, action: action))
    untold.count = 0
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
