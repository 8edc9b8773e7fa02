import Glibc
import Video

/// Tells how far the stream has come: on a terminal in one line that is rewritten, and everywhere in a last one.
struct Progress {
  private static let interval = Duration.milliseconds(200)

  private let isQuiet: Bool
  private let rate: Ratio?
  private let messages: Messages
  private let start = ContinuousClock.now
  private var shown: ContinuousClock.Instant
  private var frameCount = 0

  /// - Parameter rate: the stream's frames a second, where it tells them.
  init(isQuiet: Bool, rate: Ratio?, messages: Messages = .standard) {
    self.isQuiet = isQuiet
    self.rate = rate
    self.messages = messages
    shown = start
  }

  /// Tells that so many frames are written by now.
  mutating func wrote(_ count: Int) {
    frameCount = count
    guard !isQuiet, messages.isTerminal, shown.duration(to: .now) >= Self.interval else { return }
    shown = .now
    messages.show(line)
  }

  /// Tells that the last frame is written.
  func end() {
    guard !isQuiet else { return }
    if messages.isTerminal { messages.show(line) }
    messages.tell("done: " + line)
  }

  /// `24 frames in 7.1 s, 3.4 fps, 0.14 times the stream's rate`
  var line: String {
    let seconds = max(start.duration(to: .now) / .seconds(1), 1e-3)
    let speed = Double(frameCount) / seconds
    let line =
      "\(frameCount) \(frameCount == 1 ? "frame" : "frames") in \(seconds.formatted(decimals: 1)) s, "
      + "\(speed.formatted(decimals: speed < 10 ? 2 : 1)) fps"
    guard let rate else { return line }
    return line + ", \((speed / rate.value).formatted(decimals: 2)) times the stream's rate"
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
