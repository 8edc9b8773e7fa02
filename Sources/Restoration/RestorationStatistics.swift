/// What a restorer has done so far.
public struct RestorationStatistics: Sendable, Equatable {
  public internal(set) var framesIn = 0
  public internal(set) var framesOut = 0
  /// Cuts that ended a window.
  public internal(set) var sceneCuts = 0
  /// Of a frame with its neighbours.
  public internal(set) var fuse = StageTime()
  /// Of a frame to its latent, and of its condition to the ControlNet's first layer.
  public internal(set) var encode = StageTime()
  public internal(set) var invert = StageTime()
  /// Of groups, not of frames.
  public internal(set) var sample = StageTime()
  /// Of a latent to the restored frame.
  public internal(set) var decode = StageTime()

  /// Nothing done yet.
  public init() {}
}

/// How long a stage of the pipeline has taken.
public struct StageTime: Sendable, Equatable {
  public private(set) var count = 0
  public private(set) var total = Duration.zero
  public private(set) var longest = Duration.zero
  public private(set) var distribution = DurationHistogram()

  public var mean: Duration { count == 0 ? .zero : total / count }

  mutating func measure(_ body: () throws -> Void) rethrows {
    add(try ContinuousClock().measure(body))
  }

  mutating func add(_ duration: Duration) {
    count += 1
    total += duration
    longest = max(longest, duration)
    distribution.add(duration)
  }
}
