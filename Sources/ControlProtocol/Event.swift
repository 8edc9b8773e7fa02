import StrictJSON

/// The version of the messages; see Protocol/control.md. It grows where a message changes its
/// meaning or goes away, not where members are added.
package let protocolVersion = 1

/// What the program tells of itself while it runs.
package enum Event: Sendable {
  /// The stream's format is known and everything planned.
  case hello(Hello)
  /// The networks have run once; frames flow from now on.
  case ready
  /// How far the stream has come, twice a second while frames move.
  case progress(Progress)
  /// A window ended before this frame.
  case sceneCut(frame: Int)
  /// Frames came while the computing was behind.
  case late(Late)
  /// Frames are restored by other options from now on.
  case changed(AcceptedChange)
  /// Something is amiss that does not end the stream. One line.
  case warning(String)
  /// So many events before this one had no room and are lost.
  case lost(count: Int)
  /// The last one.
  case end(End)

  package enum Name: String, CaseIterable, Sendable {
    case hello, ready, progress
    case sceneCut = "scene_cut"
    case late, changed, warning, lost, end
  }

  package var name: Name {
    switch self {
    case .hello: .hello
    case .ready: .ready
    case .progress: .progress
    case .sceneCut: .sceneCut
    case .late: .late
    case .changed: .changed
    case .warning: .warning
    case .lost: .lost
    case .end: .end
    }
  }

  /// The event as JSON on a line of its own.
  /// - Parameter seconds: since the program's start.
  package func line(at seconds: Double) -> [UInt8] {
    var line = JSONLine()
    line.add("event", .string(name.rawValue))
    line.add("time", .rounded(seconds))
    switch self {
    case .hello(let hello): hello.write(to: &line)
    case .ready: break
    case .progress(let progress): progress.write(to: &line)
    case .sceneCut(let frame): line.add("frame", .integer(frame))
    case .late(let late): late.write(to: &line)
    case .changed(let change): change.write(to: &line)
    case .warning(let message): line.add("message", .string(message))
    case .lost(let count): line.add("count", .integer(count))
    case .end(let end): end.write(to: &line)
    }
    return line.finished
  }
}
