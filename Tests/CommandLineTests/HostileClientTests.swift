import FixtureSupport
import Foundation
import Testing

@testable import tdm_filter

@Suite("A hostile client")
struct HostileClientTests {
  private static let streaming = ["--chunk", "2", "--lookahead", "1"]

  /// Runs with a client at work all the while, and expects the frames that come without.
  private func expectFrames(_ attack: @escaping @Sendable (String) throws -> Void) throws {
    let path = ControlConnection.path()
    let options = try Tiny.model() + Tiny.steps + Self.streaming
    let stream = Y4M().stream(frames: 40)
    let filter = try FilterProcess(options + ["--control", path])
    let header = stream.firstIndex(of: 0x0a)! + 1
    filter.feed(stream[..<header])
    let attacking = Monitor(true)
    try PlainThread.start(name: "attack") {
      do { try attack(path) } catch { Issue.record(error) }
      attacking.change { $0 = false }
    }
    filter.feed(stream[header...])
    // The program goes on for as long as it is attacked.
    filter.waitForOutput(38 * (Y4M.frameByteCount + 6))
    attacking.wait(until: { !$0 })
    // And is there for others.
    let client = try ControlConnection(path)
    #expect(try client.ask(#"{"command":"ping"}"#).isOK)
    filter.closeInput()
    let result = filter.wait()
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output == (try FilterProcess.run(options, input: stream)).output)
  }

  @Test("that floods is held to its share, and is answered")
  func flood() throws {
    try expectFrames { path in
      let client = try ControlConnection(path)
      let count = 300
      let start = ContinuousClock.now
      try PlainThread.start(name: "flood") { [client] in
        for _ in 0..<count { client.send(#"{"command":"get"}"#) }
      }
      for _ in 0..<count { #expect(try client.message().isOK) }
      // Fifty in a tenth of a second.
      #expect(start.duration(to: .now) > .milliseconds(450))
    }
  }

  @Test("that there is no descriptor for waits in line, and costs nothing until there is one")
  func noDescriptor() throws {
    let path = ControlConnection.path()
    let filter = try FilterProcess(
      try Tiny.model() + Tiny.steps + Self.streaming + ["--control", path])
    filter.feed(Y4M().stream(frames: 4))
    filter.waitForOutput(2 * Y4M.frameByteCount)
    let files = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(filter.process)/fd")
    func allow(_ descriptors: String) throws {
      let change = try Process.run(
        URL(filePath: "/usr/bin/prlimit"),
        arguments: ["--pid", "\(filter.process)", "--nofile=\(descriptors):"])
      change.waitUntilExit()
      #expect(change.terminationStatus == 0)
    }
    // The first number that is free is one too many.
    try allow("\((0...).first { !files.contains("\($0)") }!)")
    let client = try ControlConnection(path)
    client.send(#"{"command":"ping"}"#)
    /// Of the processor, in hundredths of a second.
    func used() throws -> Int {
      let stat = try String(contentsOfFile: "/proc/\(filter.process)/stat", encoding: .utf8)
      let fields = stat.split(separator: ") ").last!.split(separator: " ")
      return Int(fields[11])! + Int(fields[12])!
    }
    let before = try used()
    // Longer than the first pause.
    usleep(2_500_000)
    #expect(try used() - before < 50)
    try allow("256")
    #expect(try client.message().isOK)
    filter.closeInput()
    #expect(filter.wait().status == 0)
  }

  @Test("that sends and never reads is held up itself, and nobody else")
  func stall() throws {
    try expectFrames { path in
      // Its sends come to a stop: what is kept for it is bounded.
      let client = try ControlConnection(path, patience: 1)
      client.send(#"{"command":"observe"}"#)
      var sent = 0
      while sent < 10_000, client.send(#"{"command":"get"}"#) { sent += 1 }
      #expect(sent < 10_000)
    }
  }

  @Test("that observes and does not read loses events, and is told how many")
  func deaf() throws {
    let path = ControlConnection.path()
    let filter = try FilterProcess(
      try Tiny.model() + Tiny.steps + Self.streaming + ["--control", path], patience: 300)
    let client = try ControlConnection(path)
    #expect(try client.ask(#"{"command":"observe","events":["scene_cut","lost","end"]}"#).isOK)
    // A cut before every frame: more events than the program and the socket keep.
    let frameCount = 4000
    try PlainThread.start(name: "feeder") { filter.feed(Y4M().scenes(frameCount)) }
    filter.waitForOutput((frameCount - 4) * ControlledRun.frameByteCount)
    // What has been kept, until no more comes; then there is room again.
    var messages: [Message] = []
    client.setPatience(2)
    while let line = client.line() { messages.append(try Message(line)) }
    client.setPatience(60)
    filter.feed(Y4M().scene(frameCount))
    filter.closeInput()
    while let line = client.line() { messages.append(try Message(line)) }
    #expect(filter.wait().status == 0)
    #expect(messages.last?.event == "end")
    let cuts = messages.filter { $0.event == "scene_cut" }.count
    let lost = messages.filter { $0.event == "lost" }.compactMap { $0["count"]?.integer }
    #expect(!lost.isEmpty && cuts < frameCount)
    // Others that the server itself had no room for, of progress, are counted as well.
    #expect((frameCount..<frameCount + 100).contains(cuts + lost.reduce(0, +)))
  }

  @Test("that sends garbage is refused line by line, and cut off where there is no line")
  func garbage() throws {
    try expectFrames { path in
      var generator = SystemRandomNumberGenerator()
      for _ in 0..<5 {
        let client = try ControlConnection(path)
        var noise = (0..<4000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        noise += [0x0a]
        client.send(noise)
        let refusal = try client.message()
        #expect(refusal.errorCode != nil)
        try Message.expectValid([refusal.text], as: "reply")
      }
      let endless = try ControlConnection(path)
      endless.send([UInt8](repeating: 0x78, count: 1 << 20))
      var last: String?
      while let line = endless.line() { last = line }
      #expect(try Message(try #require(last)).errorCode == "too_long")
    }
  }

  @Test("that comes many times over finds the door shut, until one leaves")
  func crowd() throws {
    try expectFrames { path in
      var clients: [ControlConnection] = []
      for _ in 0..<ClientList.most {
        let client = try ControlConnection(path)
        // One that waits for an event that does not come is not forgotten to be gone.
        #expect(try client.ask(#"{"command":"observe","events":["end"]}"#).isOK)
        clients.append(client)
      }
      let late = try ControlConnection(path)
      #expect(try late.message().errorCode == "too_many_clients")
      #expect(late.line() == nil)
      clients.removeLast()
      for attempt in 0..<50 {
        let next = try ControlConnection(path)
        next.send(#"{"command":"ping"}"#)
        if try next.message().isOK { break }
        #expect(attempt < 49)
        usleep(20_000)
      }
    }
  }

  @Test("that goes away in the middle of a line, or of a reply, is forgotten")
  func departure() throws {
    try expectFrames { path in
      for _ in 0..<30 {
        let client = try ControlConnection(path)
        client.send(#"{"command":"set","strength":0.5,"at_frame":100000}"#)
        client.send(Array(#"{"command":"#.utf8))
      }
    }
  }

  @Test("that sends no more is still answered, and then left")
  func halfClosed() throws {
    try expectFrames { path in
      let client = try ControlConnection(path)
      let count = 200
      for id in 0..<count { client.send("{\"id\":\(id),\"command\":\"ping\"}") }
      client.send(#"{"id":"last","command":"set","guidance":1,"at_frame":99999}"#)
      client.endSending()
      for id in 0..<count { #expect(try client.message()["id"]?.integer == id) }
      #expect(try client.message()["effective_frame"]?.integer == 99999)
      #expect(client.line() == nil)
    }
  }
}
