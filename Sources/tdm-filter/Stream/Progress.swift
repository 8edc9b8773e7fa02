import Glibc
import Video

/// Tells how far the stream has come: on a terminal in one line that is rewritten, and everywhere in a last one.
struct Progress {
  private static let interval = Duration.milliseconds(200)

  private let isQuiet: Bool
  private let rate: Ratio?
  private let statistics: StreamStatistics
  private let messages: Messages
  private let start = ContinuousClock.now
  private var shown: ContinuousClock.Instant

  /// - Parameter rate: the stream's frames a second, where it tells them.
  init(
    isQuiet: Bool, rate: Ratio?, statistics: StreamStatistics, messages: Messages = .standard
  ) {
    self.isQuiet = isQuiet
    self.rate = rate
    self.statistics = statistics
    self.messages = messages
    shown = start
  }

  /// Tells that another frame is written.
  mutating func wrote() {
    guard !isQuiet, messages.isTerminal, shown.duration(to: .now) >= Self.interval else { return }
    shown = .now
    messages.show(line(statistics.counts))
  }

  /// Tells that the last frame is written.
  func end() {
    guard !isQuiet else { return }
    let counts = statistics.counts
    if messages.isTerminal { messages.show(line(counts)) }
    messages.tell("done: " + line(counts) + latency(counts))
  }

  /// `24 frames in 7.1 s, 3.4 fps, 0.14 times the stream's rate, 3 left out late`
  private func line(_ counts: StreamCounts) -> String {
    let seconds = max(start.duration(to: .now) / .seconds(1), 1e-3)
    let frameCount = counts.framesWritten
    let speed = Double(frameCount) / seconds
    var line =
      "\(frameCount) \(frameCount == 1 ? "frame" : "frames") in \(seconds.formatted(decimals: 1)) s, "
      + "\(speed.formatted(decimals: speed < 10 ? 2 : 1)) fps"
    if let rate {
      line += ", \((speed / rate.value).formatted(decimals: 2)) times the stream's rate"
    }
    if counts.framesSkipped > 0 { line += ", \(counts.framesSkipped) left out late" }
    if counts.framesPassedThrough > 0 {
      line += ", \(counts.framesPassedThrough) of them passed through late"
    }
    return line
  }

  /// `; latency p50 0.31 s, p95 0.52 s`
  private func latency(_ counts: StreamCounts) -> String {
    guard let median = counts.latency.quantile(0.5), let most = counts.latency.quantile(0.95)
    else { return "" }
    func text(_ duration: Duration) -> String {
      (duration / .seconds(1)).formatted(decimals: 3)
    }
    return "; latency p50 \(text(median)) s, p95 \(text(most)) s"
  }
}

extension Double {
  /// With so many digits behind the point, without any library's help.
  func formatted(decimals: Int) -> String {
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let units = (self * scale).rounded()
    guard units.isFinite, abs(units) < 1e15 else { return "\(self)" }
    let digits = String(Int64(abs(units)))
    let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
    let sign = units < 0 ? "-" : ""
    return decimals == 0
      ? sign + padded : sign + padded.dropLast(decimals) + "." + padded.suffix(decimals)
  }
}
