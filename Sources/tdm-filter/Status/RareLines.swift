/// When progress is told where lines stay, as in a file or a journal: after a minute, then each
/// time when twice as much time has passed, and after some hours once an hour.
struct RareLines: Sendable {
  private var next: Duration

  /// - Parameter first: when the first line is due.
  init(first: Duration = .seconds(60)) { next = first }

  /// - Parameter elapsed: since frames began to flow.
  mutating func isDue(at elapsed: Duration) -> Bool {
    guard elapsed >= next else { return false }
    next = elapsed + min(elapsed, .seconds(3600))
    return true
  }
}
