import StrictJSON

/// How the program ends, and what came of the stream.
package struct End: Sendable {
  package enum Reason: String, CaseIterable, Sendable {
    case endOfStream = "end_of_stream"
    /// SIGINT or SIGTERM: what was read is finished.
    case signal
    /// A client asked for the same.
    case drain
    /// A client asked for the end at once.
    case quit
    case error
  }

  package var reason: Reason
  /// The exit status.
  package var status: Int
  /// The line on stderr, where the status is not 0.
  package var message: String?
  package var totals: Progress
  /// Events that had no room, in all.
  package var lostEvents: Int

  package init(
    reason: Reason, status: Int, message: String?, totals: Progress, lostEvents: Int
  ) {
    self.reason = reason
    self.status = status
    self.message = message
    self.totals = totals
    self.lostEvents = lostEvents
  }

  func write(to line: inout JSONLine) {
    line.add("reason", .string(reason.rawValue))
    line.add("status", .integer(status))
    line.add("message", message.map(JSON.string))
    totals.write(to: &line)
    line.add("lost_events", .integer(lostEvents))
  }
}
