@testable import tdm_filter

extension Monitor {
  /// Waits until `condition` holds.
  func wait(until condition: (Value) -> Bool) { wait(until: condition, then: { _ in }) }
}
