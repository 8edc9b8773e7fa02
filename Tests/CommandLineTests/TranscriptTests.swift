import FixtureSupport
import Foundation
import StrictJSON
import Testing

@testable import tdm_filter

@Suite("A transcript that is published with the protocol")
struct TranscriptTests {
  private static let folder = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Protocol/transcripts")

  static let names = try! FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()

  @Test("is what the program says", arguments: names)
  func play(name: String) throws {
    let text = try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
    var player: TranscriptPlayer?
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      let rest = String(line.dropFirst(2))
      switch line.prefix(2) {
      case "$ ": player = try TranscriptPlayer(rest.split(separator: " ").map(String.init))
      case "+ ": try #require(player).give(rest)
      case "> ": try #require(player).send(rest)
      case "< ": try #require(player).expectLine(rest)
      case "= ": try #require(player).expectEvent(rest)
      default: Issue.record("\(name): what is this? \(line)")
      }
    }
    try #require(player).end()
  }
}

/// Plays a transcript's lines against the program.
private final class TranscriptPlayer {
  private let filter: FilterProcess
  private let stream = Y4M().stream(frames: 100)
  private var fed = 0
  private var seen = 0
  private let path = ControlConnection.path()
  private var client: ControlConnection?

  /// - Parameter options: `SOCKET` stands for a path that is free.
  init(_ options: [String]) throws {
    let options = options.map { [path] in $0 == "SOCKET" ? path : $0 }
    filter = try FilterProcess(
      Tiny.model() + Tiny.steps + ["--status-fd", "3"] + options, status: .read)
    fed = Y4M().header.utf8.count + 1
    filter.feed(stream[..<fed])
  }

  /// Feeds its input: `N frames`, `half a frame`, `end`.
  func give(_ what: String) throws {
    let frame = Y4M.frameByteCount + "FRAME\n".utf8.count
    let words = what.split(separator: " ")
    if what == "end" { return filter.closeInput() }
    let count = what == "half a frame" ? frame / 2 : try #require(Int(words[0])) * frame
    filter.feed(stream[fed..<fed + count])
    fed += count
  }

  /// The next event but for progress, which may come at any time.
  func expectEvent(_ text: String) throws {
    let pattern = try Message(text)
    while true {
      let lines = filter.statusLines(atLeast: seen + 1)
      guard lines.count > seen else {
        Issue.record("expected \(text), found the end")
        return
      }
      let message = try Message(lines[seen])
      seen += 1
      if message.event == "progress", pattern.event != "progress" { continue }
      #expect(message.matches(pattern.json), "expected \(text), found \(message.text)")
      return
    }
  }

  /// Sends a line on the control socket.
  func send(_ line: String) throws {
    if client == nil { client = try ControlConnection(path) }
    if let request = try? Message(line) {
      // What the schema forbids the program refuses, and the other way round.
      if ["ping", "observe", "drain"].contains(request["command"]?.string) {
        try Message.expectValid([line], as: "request")
      }
    }
    client?.send(line)
  }

  /// The next line that a client is sent.
  func expectLine(_ text: String) throws {
    let pattern = try Message(text)
    let message = try #require(client).message()
    try Message.expectValid([message.text], as: message.event == nil ? "reply" : "event")
    #expect(message.matches(pattern.json), "expected \(text), found \(message.text)")
  }

  /// Nothing is said that the transcript does not have.
  func end() throws {
    _ = filter.wait()
    let lines = filter.statusLines()
    #expect(lines.count == seen)
    try Message.expectValid(lines, as: "event")
  }
}
