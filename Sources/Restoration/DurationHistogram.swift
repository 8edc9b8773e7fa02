import Glibc

/// How durations are distributed, in memory that does not grow with their number.
///
/// Classes are 1/16 of an octave wide: a quantile is off by 2.2% at most, from a microsecond to a
/// day.
public struct DurationHistogram: Sendable, Equatable {
  private static let classesPerOctave = 16.0
  private static let octaves = 37

  public private(set) var count = 0
  private var counts = [Int](repeating: 0, count: octaves * Int(classesPerOctave))

  public init() {}

  public mutating func add(_ duration: Duration) {
    let microseconds = max(duration / .microseconds(1), 1)
    let index = Int(log2(microseconds) * Self.classesPerOctave)
    counts[min(index, counts.count - 1)] += 1
    count += 1
  }

  mutating func measure(_ body: () throws -> Void) rethrows {
    add(try ContinuousClock().measure(body))
  }

  /// The duration that this share of all stays below: the middle of its class.
  /// - Parameter share: 0...1.
  /// - Returns: nil where nothing was added.
  public func quantile(_ share: Double) -> Duration? {
    guard count > 0 else { return nil }
    let rank = max(1, Int((share * Double(count)).rounded(.up)))
    var seen = 0
    for (index, number) in counts.enumerated() {
      seen += number
      if seen >= rank {
        return .microseconds(exp2((Double(index) + 0.5) / Self.classesPerOctave))
      }
    }
    return nil
  }
}
