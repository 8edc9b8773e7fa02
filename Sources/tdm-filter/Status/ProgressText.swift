import ControlProtocol
import Restoration
import Video

/// What stderr says of how far the stream has come.
enum ProgressText {
  /// `24 of 240 frames in 7.1 s, 3.4 fps (0.14x), 3 left out late, 64 s to go`
  /// - Parameter isLast: nothing more is to come, however far the stream has got.
  static func line(_ progress: Progress, _ flow: StreamFlow?, isLast: Bool = false) -> String {
    let isKnown = progress.secondsLeft != nil && !(isLast && flow?.isEstimate == true)
    let total = isKnown ? flow?.frameCount : nil
    let count = total.map { "\(progress.framesOut) of \($0)" } ?? "\(progress.framesOut)"
    let speed = progress.framesPerSecond
    // Zero-shot deraining takes minutes for a frame.
    let isSlow = speed > 0 && speed < 0.05
    var line =
      "\(count) \(count == "1" ? "frame" : "frames") in \(progress.seconds.formatted(decimals: 1)) s, "
      + (isSlow
        ? "\((1 / speed).formatted(decimals: 0)) s a frame"
        : "\(speed.formatted(decimals: speed < 10 ? 2 : 1)) fps")
    if let rate = flow?.rate, !isSlow {
      line += " (\((speed / rate.value).formatted(decimals: 2))x)"
    }
    if progress.framesSkipped > 0 { line += ", \(progress.framesSkipped) left out late" }
    if progress.framesPassedThrough > 0 {
      line += ", \(progress.framesPassedThrough) passed through late"
    }
    if let left = progress.secondsLeft, left > 0, !isLast {
      line += ", \(left.formatted(decimals: left < 10 ? 1 : 0)) s to go"
    }
    return line
  }

  /// `; latency p50 0.31 s, p95 0.52 s`
  static func latency(_ latency: DurationHistogram) -> String {
    guard let median = latency.quantile(0.5), let most = latency.quantile(0.95) else { return "" }
    func text(_ duration: Duration) -> String {
      (duration / .seconds(1)).formatted(decimals: 2)
    }
    return "; latency p50 \(text(median)) s, p95 \(text(most)) s"
  }

  /// A block of ffmpeg's `-progress`, every line `key=value` and the last one `progress`; without
  /// its `out_time_ms`, which is in microseconds whatever its name says.
  static func block(_ progress: Progress, _ flow: StreamFlow?, isLast: Bool) -> String {
    var lines = [
      "frame=\(progress.framesOut)", "fps=\(progress.framesPerSecond.formatted(decimals: 2))",
    ]
    if let rate = flow?.rate {
      // A header may give a frame seventy years.
      let microseconds = Int(min(Double(progress.framesOut) / rate.value * 1e6, 1e18))
      lines += [
        "out_time_us=\(microseconds)", "out_time=\(clockTime(microseconds))",
      ]
    } else {
      lines += ["out_time_us=N/A", "out_time=N/A"]
    }
    lines += ["dup_frames=0", "drop_frames=\(progress.framesSkipped)"]
    let speed = flow?.rate.map {
      (progress.framesPerSecond / $0.value).formatted(decimals: 3) + "x"
    }
    lines += ["speed=\(speed ?? "N/A")", "progress=\(isLast ? "end" : "continue")"]
    return lines.joined(separator: "\n") + "\n"
  }

  /// `01:02:03.456789`
  private static func clockTime(_ microseconds: Int) -> String {
    func padded(_ number: Int, _ width: Int) -> String {
      let digits = String(number)
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    let seconds = microseconds / 1_000_000
    return "\(padded(seconds / 3600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
      + ".\(padded(microseconds % 1_000_000, 6))"
  }
}
