/// When progress is told where lines stay, as in a file or a journal: after a minute, then each
/// time when twice as much time has passed, and after some hours once an hour.
struct RareLines {
  private var next = Duration.seconds(60)

  /// - Parameter elapsed: since frames began to flow.
  mutating func isDue(at elapsed: Duration) -> Bool {
    guard elapsed >= next else { return false }
    next = elapsed + min(elapsed, .seconds(3600))
    return true
  }
}
