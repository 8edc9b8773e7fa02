import ControlProtocol
import Video

/// Tells of late frames: of the first at once, of the others in one line every few seconds.
struct LateNotices {
  private static let interval = Duration.seconds(5)
  private let action: Late.Action
  private let now: () -> ContinuousClock.Instant
  private let report: (Late) -> Void
  private var told: ContinuousClock.Instant?
  private var untold: (count: Int, first: Int, last: Int) = (0, 0, 0)
  private var total = 0

  init(
    _ whenLate: WhenLate, now: @escaping () -> ContinuousClock.Instant = { .now },
    report: @escaping (Late) -> Void
  ) {
    self.now = now
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
    let now = now()
    if let told, told.duration(to: now) < Self.interval { return }
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
