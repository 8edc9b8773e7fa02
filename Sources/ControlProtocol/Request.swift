import StrictJSON

/// What a client asks for, in one line.
package struct Request: Sendable, Equatable {
  package enum Command: Sendable, Equatable {
    case ping, get, stats, pause, resume, drain, quit
    case set(OptionChange)
    /// Which events the client is sent from now on.
    case observe(Set<Event.Name>)
  }

  /// The longest line that is read, in bytes, without its newline.
  package static let longestLine = 16 << 10
  private static let limits = JSONParser.Limits(depth: 4, values: 64)
  private static let commands = [
    "ping", "get", "set", "stats", "observe", "pause", "resume", "drain", "quit",
  ]

  /// A text or a whole number, which the reply repeats; null where none was given.
  package let id: JSON
  package let command: Command

  /// Reads a line.
  /// - Throws: ``Refusal``, with the line's id where it could be read.
  package init(_ line: [UInt8]) throws(Refusal) {
    guard line.count <= Self.longestLine else {
      throw Refusal(.tooLong, "expected a line of at most \(Self.longestLine) bytes")
    }
    let value: JSON
    do throws(JSONError) { value = try JSONParser.parse(line, limits: Self.limits) } catch {
      throw Refusal(.invalidJSON, "\(error)")
    }
    guard var members = value.object else {
      throw Refusal(.invalidRequest, "expected an object, found \(value.summary)")
    }
    let id = members.removeValue(forKey: "id") ?? .null
    switch id {
    case .null, .string, .integer: self.id = id
    default:
      throw Refusal(.invalidRequest, "id: expected a text or a whole number, found \(id.summary)")
    }
    do throws(Refusal) { command = try Self.command(members) } catch {
      throw Refusal(error.code, error.message, id: id)
    }
  }

  private static func command(_ given: [String: JSON]) throws(Refusal) -> Command {
    var members = given
    guard let name = members.removeValue(forKey: "command") else {
      throw Refusal(.invalidRequest, "expected a member command, found none")
    }
    func alone(_ command: Command) throws(Refusal) -> Command {
      if let other = members.keys.min() {
        throw Refusal(.invalidRequest, "\(other.quoted): expected no member beside id and command")
      }
      return command
    }
    switch name.string {
    case "ping": return try alone(.ping)
    case "get": return try alone(.get)
    case "stats": return try alone(.stats)
    case "pause": return try alone(.pause)
    case "resume": return try alone(.resume)
    case "drain": return try alone(.drain)
    case "quit": return try alone(.quit)
    case "set": return .set(try OptionChange(members))
    case "observe": return .observe(try events(members))
    default:
      throw Refusal(
        .unknownCommand,
        "command: expected \(commands.joined(separator: ", ")); found \(name.summary)")
    }
  }

  /// All events, or those that are named.
  private static func events(_ given: [String: JSON]) throws(Refusal) -> Set<Event.Name> {
    var members = given
    let list = members.removeValue(forKey: "events")
    if let other = members.keys.min() {
      throw Refusal(.invalidRequest, "\(other.quoted): expected no member beside events")
    }
    guard let list else { return Set(Event.Name.allCases) }
    guard let names = list.array else {
      throw Refusal(.invalidValue, "events: expected a list of names, found \(list.summary)")
    }
    var events: Set<Event.Name> = []
    for name in names {
      guard let event = name.string.flatMap(Event.Name.init(rawValue:)) else {
        throw Refusal(
          .invalidValue,
          "events: expected \(Event.Name.allCases.map(\.rawValue).joined(separator: ", ")); found \(name.summary)"
        )
      }
      events.insert(event)
    }
    return events
  }
}

/// Why a request is not carried out.
package struct Refusal: Error, Sendable, Equatable {
  package enum Code: String, CaseIterable, Sendable {
    /// The line is no JSON, has a key twice, is nested too deeply or holds too many values.
    case invalidJSON = "invalid_json"
    /// The line is no request: a member is missing or unknown, or the id is of the wrong kind.
    case invalidRequest = "invalid_request"
    case unknownCommand = "unknown_command"
    /// A member's value is of the wrong kind, or cannot be.
    case invalidValue = "invalid_value"
    /// The output's size would change, which its readers could not follow.
    case sizeChange = "size_change"
    /// The line is longer than ``Request/longestLine``. The connection is closed.
    case tooLong = "too_long"
    /// As many clients as can be are there. The connection is closed.
    case tooManyClients = "too_many_clients"
    /// Too many changes wait already.
    case busy
    /// No further frame will be restored.
    case ending
  }

  package let code: Code
  /// One line for a person.
  package let message: String
  package let id: JSON

  package init(_ code: Code, _ message: String, id: JSON = .null) {
    self.code = code
    self.message = message
    self.id = id
  }

  /// The reply.
  package var line: [UInt8] {
    var line = JSONLine()
    line.add("id", id)
    line.add("ok", .bool(false))
    line.add(
      "error", .object(["code": .string(code.rawValue), "message": .string(message)]))
    return line.finished
  }
}

/// What a request that is carried out is answered.
package struct Reply: Sendable {
  private var line = JSONLine()

  package init(to id: JSON) {
    line.add("id", id)
    line.add("ok", .bool(true))
  }

  package mutating func add(_ key: String, _ value: JSON?) { line.add(key, value) }

  package mutating func add(_ progress: Progress) { progress.write(to: &line) }
  package mutating func add(_ change: AcceptedChange) { change.write(to: &line) }

  package var bytes: [UInt8] { line.finished }
}
