import StrictJSON

/// Frames that came while the computing was behind, since the last such event.
package struct Late: Sendable {
  package enum Action: String, Sendable {
    case skipped
    case passedThrough = "passed_through"
  }

  package var first, last, count: Int
  /// Since the stream's beginning.
  package var total: Int
  package var action: Action

  package init(first: Int, last: Int, count: Int, total: Int, action: Action) {
    self.first = first
    self.last = last
    self.count = count
    self.total = total
    self.action = action
  }

  func write(to line: inout JSONLine) {
    line.add("first_frame", .integer(first))
    line.add("last_frame", .integer(last))
    line.add("count", .integer(count))
    line.add("total", .integer(total))
    line.add("action", .string(action.rawValue))
  }
}
