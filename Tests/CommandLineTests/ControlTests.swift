import Foundation
import StrictJSON
import Testing

@testable import tdm_filter

@Suite("The control socket")
struct ControlTests {
  @Test("answers every command as the schema says, with the request's id")
  func commands() throws {
    let path = ControlConnection.path()
    let filter = try ControlledRun.start(path)
    filter.feed(Y4M().stream(frames: 3))
    filter.waitForOutput(2 * ControlledRun.frameByteCount)
    let client = try ControlConnection(path)
    var lines: [String] = []
    for (index, command) in [
      #""command":"ping""#, #""command":"get""#, #""command":"stats""#, #""command":"pause""#,
      #""command":"resume""#, #""command":"observe","events":["end","warning"]"#,
      #""command":"set","task":"derain","prompt":null,"strength":0.5,"at_frame":7"#,
      #""command":"drain""#,
    ].enumerated() {
      let id = index % 2 == 0 ? "\(index)" : "\"request \(index)\""
      let request = "{\"id\":\(id),\(command)}"
      try Message.expectValid([request], as: "request")
      let reply = try client.ask(request)
      #expect(reply.isOK, "\(reply.text)")
      #expect(reply["id"]?.text == id)
      lines.append(reply.text)
    }
    try Message.expectValid(lines, as: "reply")
    #expect(try client.message().event == "end")
    let result = filter.wait()
    #expect(result.status == 0 && Y4M.frameCount(of: result.output) == 3, "\(result.errors)")
    filter.closeInput()
    #expect(access(path, F_OK) != 0)
  }

  @Test("refuses what it cannot do by a code, and goes on")
  func refusals() throws {
    let path = ControlConnection.path()
    let filter = try ControlledRun.start(path)
    filter.feed(Y4M().stream(frames: 1))
    let client = try ControlConnection(path)
    for (request, code) in [
      ("{", "invalid_json"), ("{}", "invalid_request"), ("[]", "invalid_request"),
      ("7", "invalid_request"),
      (#"{"command":"fly"}"#, "unknown_command"), (#"{"command":3}"#, "unknown_command"),
      (#"{"command":"ping","loud":true}"#, "invalid_request"),
      (#"{"command":"ping","id":[1]}"#, "invalid_request"),
      (#"{"command":"set"}"#, "invalid_request"),
      (#"{"command":"set","steps":3}"#, "invalid_request"),
      (#"{"command":"set","task":"defog"}"#, "invalid_value"),
      (#"{"command":"set","strength":0}"#, "invalid_value"),
      (#"{"command":"set","strength":"much"}"#, "invalid_value"),
      (#"{"command":"set","guidance":1e9}"#, "invalid_value"),
      (#"{"command":"set","amount":2.1}"#, "invalid_value"),
      (#"{"command":"set","task":"derain","at_frame":-1}"#, "invalid_value"),
      (#"{"command":"set","task":"superres"}"#, "size_change"),
      (#"{"command":"set","task":"sr","at_frame":900}"#, "size_change"),
      (#"{"command":"observe","events":["weather"]}"#, "invalid_value"),
      (String(repeating: "[", count: 1000), "invalid_json"),
      (#"{"command":"ping","command":"quit"}"#, "invalid_json"),
    ] {
      let reply = try client.ask(request)
      #expect(reply.errorCode == code, "\(request): \(reply.text)")
      try Message.expectValid([reply.text], as: "reply")
    }
    #expect(try client.ask(#"{"command":"ping"}"#).isOK)
    filter.closeInput()
    #expect(filter.wait().status == 0)
  }

  @Test("takes 64 changes that wait for their frames, and no more")
  func manyChanges() throws {
    let path = ControlConnection.path()
    let filter = try ControlledRun.start(path)
    filter.feed(Y4M().stream(frames: 1))
    let client = try ControlConnection(path)
    for number in 0..<64 {
      let frame = 1000 + number
      #expect(
        try client.ask("{\"command\":\"set\",\"amount\":0.5,\"at_frame\":\(frame)}").isOK)
    }
    let change = #"{"command":"set","amount":0.5}"#
    #expect(try client.ask(change).errorCode == "busy")
    #expect(try client.ask(#"{"command":"get"}"#)["pending"]?.array?.count == 64)
    filter.closeInput()
    #expect(filter.wait().status == 0)
  }

  @Test("holds frames while it pauses, and lets none be lost")
  func pause() throws {
    let path = ControlConnection.path()
    let filter = try ControlledRun.start(path, ["--chunk", "1", "--lookahead", "0"])
    let (header, frames) = ControlledRun.pieces(8)
    filter.feed(header + frames[0])
    filter.waitForOutput(ControlledRun.frameByteCount)
    let client = try ControlConnection(path)
    #expect(try client.ask(#"{"command":"pause"}"#).isOK)
    filter.feed(frames[1...].joined())
    usleep(300_000)
    let state = try client.ask(#"{"command":"get"}"#)
    #expect(state["state"]?.string == "paused")
    // The computing has a frame in hand by now; it answers all the same.
    #expect(try client.ask(#"{"command":"set","amount":0.5,"at_frame":1000}"#).isOK)
    let held = try client.ask(#"{"command":"stats"}"#)
    #expect(held["frames_out"]?.integer == 1)
    #expect(try client.ask(#"{"command":"resume"}"#).isOK)
    filter.waitForOutput(8 * ControlledRun.frameByteCount)
    // A drain finishes what was read even where it is held.
    #expect(try client.ask(#"{"command":"pause"}"#).isOK)
    filter.feed(frames[0])
    filter.waitForReading()
    #expect(try client.ask(#"{"command":"drain"}"#).isOK)
    let result = filter.wait()
    filter.closeInput()
    #expect(result.status == 0, "\(result.errors)")
    #expect(Y4M.frameCount(of: result.output) == 9)
  }

  @Test("holds what it has while it pauses, though no more comes")
  func pauseAtEnd() throws {
    let path = ControlConnection.path()
    let filter = try ControlledRun.start(path)
    let (header, frames) = ControlledRun.pieces(4)
    filter.feed(header + frames.joined())
    // Two of a chunk have left, the others wait for what they read ahead.
    filter.waitForOutput(2 * ControlledRun.frameByteCount)
    let client = try ControlConnection(path)
    #expect(try client.ask(#"{"command":"pause"}"#).isOK)
    filter.closeInput()
    usleep(300_000)
    #expect(try client.ask(#"{"command":"stats"}"#)["frames_out"]?.integer == 2)
    #expect(try client.ask(#"{"command":"resume"}"#).isOK)
    let result = filter.wait()
    #expect(result.status == 0, "\(result.errors)")
    #expect(Y4M.frameCount(of: result.output) == 4)
  }

  @Test("leaves a first signal after a drain the first, and refuses changes that come too late")
  func afterDrain() throws {
    let path = ControlConnection.path()
    let filter = try FilterProcess(
      Tiny.model() + Tiny.steps + ["--chunk", "1", "--lookahead", "0", "--control", path],
      readsOutput: false)
    filter.narrowOutput()
    // All can be restored, and the last one cannot be written while nobody reads.
    let count = 4096 / ControlledRun.frameByteCount + 2
    filter.feed(Y4M().stream(frames: count))
    let client = try ControlConnection(path)
    filter.waitForReading()
    #expect(try client.ask(#"{"command":"drain"}"#).isOK)
    var code: String?
    for _ in 0..<1000 where code != "ending" {
      usleep(10_000)
      code = try client.ask(#"{"command":"set","task":"derain"}"#).errorCode
    }
    #expect(code == "ending")
    filter.send(signal: SIGTERM)
    filter.waitForError(containing: "SIGTERM")
    try filter.readOutput()
    let result = filter.wait()
    filter.closeInput()
    #expect(result.status == 0, "\(result.errors)")
    #expect(Y4M.frameCount(of: result.output) == count)
  }

  @Test("refuses changes when no frame is left that they could be for, paused or not")
  func changeBehindTheEnd() throws {
    let path = ControlConnection.path()
    let filter = try ControlledRun.start(path)
    let (header, frames) = ControlledRun.pieces(2)
    filter.feed(header + frames.joined())
    let client = try ControlConnection(path)
    // It is held while it waits for another frame, not with one in hand.
    for _ in 0..<1000
    where try client.ask(#"{"command":"get"}"#)["next_frame"]?.integer != 2 { usleep(10_000) }
    #expect(try client.ask(#"{"command":"pause"}"#).isOK)
    filter.closeInput()
    var code: String?
    for _ in 0..<1000 where code != "ending" {
      usleep(10_000)
      code = try client.ask(#"{"command":"set","amount":0.5}"#).errorCode
    }
    #expect(code == "ending")
    #expect(try client.ask(#"{"command":"resume"}"#).isOK)
    let result = filter.wait()
    #expect(result.status == 0 && Y4M.frameCount(of: result.output) == 2, "\(result.errors)")
  }

  @Test("quits at once with whole frames only, even where nobody reads them")
  func quit() throws {
    for readsOutput in [true, false] {
      let path = ControlConnection.path()
      let filter = try FilterProcess(
        Tiny.model() + Tiny.steps + ["--control", path, "--status-fd", "3"],
        readsOutput: readsOutput, status: .read)
      try PlainThread.start(name: "feeder") { filter.feed(Y4M().stream(frames: 500)) }
      let client = try ControlConnection(path)
      #expect(try client.ask(#"{"command":"quit"}"#).isOK)
      let result = filter.wait(hasOutput: readsOutput)
      if !readsOutput { filter.closeOutput() }
      #expect(result.status == ProgramStatus.terminated.rawValue, "\(result.errors)")
      let line = "tdm-filter: a client sent quit: frames in progress are lost"
      // What the run would have been may still be told, where it came while the model loaded.
      #expect(result.linesBesidePlan.last.map(String.init) == line, "\(result.errors)")
      #expect(access(path, F_OK) != 0)
      if readsOutput, !result.output.isEmpty { #expect(Y4M.frameCount(of: result.output) >= 0) }
    }
  }

  @Test("is the user's alone, replaces a stale one and no other")
  func place() throws {
    let path = ControlConnection.path()
    defer { unlink(path) }
    // A program that was killed leaves its socket behind.
    let killed = try ControlledRun.start(path)
    _ = try ControlConnection(path)
    var status = stat()
    #expect(lstat(path, &status) == 0 && status.st_mode & 0o7777 == 0o600)
    killed.send(signal: SIGKILL)
    _ = killed.wait()
    #expect(access(path, F_OK) == 0)
    let second = try ControlledRun.start(path)
    let client = try ControlConnection(path)
    #expect(try client.ask(#"{"command":"ping"}"#).isOK)
    // It lives: a third one is refused, and harms nobody.
    let third = try FilterProcess.run(Tiny.model() + Tiny.steps + ["--control", path])
    expectFailure(third, .usage, saying: [path, "listens"])
    #expect(try client.ask(#"{"command":"ping"}"#).isOK)
    second.closeInput()
    _ = second.wait()
    #expect(access(path, F_OK) != 0)
    try Data().write(to: URL(filePath: path))
    let occupied = try FilterProcess.run(Tiny.model() + Tiny.steps + ["--control", path])
    expectFailure(occupied, .usage, saying: [path, "kind"])
    expectFailure(
      try FilterProcess.run(["--control", "/tmp/" + String(repeating: "x", count: 120)]), .usage,
      saying: ["--control", "bytes"])
    expectFailure(
      try FilterProcess.run(["--control", "/nowhere/at/all/socket"]), .usage,
      saying: ["/nowhere/at/all/socket", "No such file"])
  }

  @Test(
    "has nothing to say to another user",
    .enabled(if: geteuid() == 0, "only root can be two users"))
  func otherUser() throws {
    let path = ControlConnection.path()
    let options =
      try Tiny.model() + Tiny.steps + ["--control", path] + FilterProcess.furtherOptions
    let arguments = options.map { "'\($0)'" }.joined(separator: " ")
    // The program is nobody's, the client root's, whom no file mode keeps out.
    let filter = try FilterProcess(
      [
        "--reuid", "65534", "--clear-groups", "/bin/sh", "-c",
        "exec '\(FilterProcess.path)' \(arguments)",
      ],
      executable: "/usr/bin/setpriv")
    let client = try ControlConnection(path)
    client.send(#"{"command":"ping"}"#)
    #expect(client.line() == nil)
    filter.feed(Y4M().stream(frames: 1))
    filter.closeInput()
    let result = filter.wait()
    #expect(result.status == 0, "\(result.errors)")
  }
}
