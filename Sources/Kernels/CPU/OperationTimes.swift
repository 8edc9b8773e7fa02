/// Time spent in each kind of operation, for finding out what a network's time goes into.
public final class OperationTimes {
  public private(set) var seconds: [String: Double] = [:]

  public init() {}

  func add(_ duration: Duration, to label: String) {
    seconds[label, default: 0] += duration / .seconds(1)
  }
}
