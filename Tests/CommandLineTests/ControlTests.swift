import ControlProtocol
import FixtureSupport
import Foundation
import StrictJSON
import Testing

@testable import tdm_filter

@Suite("The control socket")
struct ControlTests {
  private static let frame = Y4M.frameByteCount + "FRAME\n".utf8.count
  private static let streaming = ["--chunk", "2", "--lookahead", "1", "--radius", "2"]

  private func start(
    _ path: String, _ more: [String] = [], status: FilterProcess.Status = .none
  ) throws -> FilterProcess {
    try FilterProcess(
      Tiny.model() + Tiny.steps + Self.streaming + ["--control", path] + more, status: status)
  }

  /// A stream's header, and then its frames one by one.
  private func pieces(_ frames: Int) -> (header: [UInt8], frames: [[UInt8]]) {
    let stream = Y4M().stream(frames: frames)
    let header = stream.firstIndex(of: 0x0a)! + 1
    return (
      Array(stream[..<header]),
      (0..<frames).map { Array(stream[header + $0 * Self.frame..<header + ($0 + 1) * Self.frame]) }
    )
  }

  @Test("answers every command as the schema says, with the request's id")
  func commands() throws {
    let path = ControlConnection.path()
    let filter = try start(path)
    filter.feed(Y4M().stream(frames: 3))
    filter.waitForOutput(2 * Self.frame)
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
    let filter = try start(path)
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

  @Test(
    "changes what two runs by options would, from the effective frame on",
    arguments: [
      (#""task":"derain""#, ["--task", "derain"]),
      (
        #""prompt":"remove the fog","strength":0.4"#,
        ["--prompt", "remove the fog", "--strength", "0.4"]
      ),
      (#""guidance":2.5"#, ["--guidance", "2.5"]),
      (#""amount":0.25"#, ["--amount", "0.25"]),
      (#""preset":"live""#, ["--preset", "live"]),
    ])
  func changeEqualsTwoRuns(change: String, options: [String]) throws {
    let path = ControlConnection.path()
    // Nothing of what a preset gives is given by hand, or the preset could not change it.
    let base = try Tiny.model() + ["--threads", "1", "--steps", "2", "--inversion-steps", "1"]
    let filter = try FilterProcess(base + ["--control", path], status: .none)
    let (header, frames) = pieces(60)
    filter.feed(header)
    let client = try ControlConnection(path)
    let reply = try client.ask("{\"command\":\"set\",\"at_frame\":50,\(change)}")
    #expect(reply["effective_frame"]?.integer == 50, "\(reply.text)")
    for frame in frames { filter.feed(frame) }
    filter.closeInput()
    let whole = filter.wait()
    #expect(whole.status == 0, "\(whole.errors)")
    #expect(!whole.errors.contains("warning"), "\(whole.errors)")
    let before = try FilterProcess.run(base, input: header + frames[..<50].joined())
    let after = try FilterProcess.run(base + options, input: header + frames[50...].joined())
    #expect(Y4M.frameCount(of: whole.output) == 60)
    let afterFrames = after.output[(after.output.firstIndex(of: 0x0a)! + 1)...]
    #expect(whole.output == before.output + afterFrames)
    // And it is a change at all.
    let unchanged = try FilterProcess.run(base, input: header + frames.joined())
    #expect(unchanged.output != whole.output)
  }

  @Test("changes to tasks that are restored reduced or by a model within the model, and back")
  func changeOfNetworks() throws {
    try Fixture.thin.withCopy { folder in
      for (name, presets) in [
        ("", #""task_work_size": {"dehaze": 64}, "task_model": {"deartifact": "other"}"#),
        ("other/", #""radius": 1"#),
      ] {
        if !name.isEmpty { try Fixture.haar.writeModel(to: folder.appending(path: name)) }
        try Data("{\"balanced\": {\"steps\": 1, \"chunk\": 1, \(presets)}}".utf8)
          .write(to: folder.appending(path: name + "presets.json"))
      }
      let path = ControlConnection.path()
      let model = ["--model", folder.path, "--threads", "1"]
      let base = model + ["--inversion-steps", "0", "--task", "deartifact"]
      let (width, height, count) = (100, 60, 12)
      let header = Array("YUV4MPEG2 W\(width) H\(height) F25:1 Ip Cmono\n".utf8)
      let frames = (0..<count).map { frame in
        Array("FRAME\n".utf8)
          + (0..<width * height).map { UInt8(60 + ($0 % 97 + $0 / width * 3 + frame * 5) % 120) }
      }
      let filter = try FilterProcess(base + ["--control", path], status: .none)
      filter.feed(header)
      let client = try ControlConnection(path)
      var runs = [base]
      for (frame, task) in [(3, "dehaze"), (6, "denoise"), (9, "deartifact")] {
        let reply = try client.ask(
          "{\"command\":\"set\",\"at_frame\":\(frame),\"task\":\"\(task)\"}")
        #expect(reply.isOK, "\(reply.text)")
        runs.append(model + reply.arguments)
      }
      for frame in frames { filter.feed(frame) }
      filter.closeInput()
      let whole = filter.wait()
      #expect(whole.status == 0, "\(whole.errors)")
      let parts = try runs.enumerated().map { index, run in
        let input = header + frames[3 * index..<3 * index + 3].joined()
        let part = try FilterProcess.run(run, input: input)
        #expect(part.status == 0, "\(part.errors)")
        return part.output[(try #require(part.output.firstIndex(of: 0x0a)) + 1)...]
      }
      #expect(whole.output.suffix(parts.joined().count).elementsEqual(parts.joined()))
      let unreduced = try FilterProcess.run(
        base + ["--task", "dehaze", "--work-size", "0"], input: header + frames[3..<6].joined())
      #expect(!unreduced.output.suffix(parts[1].count).elementsEqual(parts[1]))
      let other = try FilterProcess.run(
        ["--model", folder.path + "/other"] + base.dropFirst(2),
        input: header + frames[9..<12].joined())
      #expect(other.output.suffix(parts[3].count).elementsEqual(parts[3]))
    }
  }

  @Test("needs models within the model only where they may be run")
  func missingInnerModel() throws {
    try Fixture.thin.withCopy { folder in
      try Data(#"{"live": {"task_model": {"derain": "none"}}}"#.utf8)
        .write(to: folder.appending(path: "presets.json"))
      let base = ["--model", folder.path] + Tiny.steps
      for (options, isMissed) in [
        ([], false), (["--preset", "live"], false),
        (["--preset", "live", "--task", "derain"], true),
        (["--control", ControlConnection.path()], true),
      ] {
        for dryRun in [[], ["--dry-run"]] {
          let result = try FilterProcess.run(
            base + options + dryRun, input: Y4M().stream(frames: 1))
          if isMissed {
            expectFailure(result, .unfitModel, saying: ["/none/model_index.json: missing"])
          } else {
            #expect(result.status == 0, "\(result.errors)")
          }
        }
      }
    }
  }

  @Test("warns when a preset comes into effect that the model is not made for")
  func doubtfulPreset() throws {
    try Fixture.thin.withCopy { folder in
      try Data(#"{"balanced": {"inversion_steps": 0, "steps": 1, "chunk": 1}}"#.utf8)
        .write(to: folder.appending(path: "presets.json"))
      let path = ControlConnection.path()
      let filter = try FilterProcess(
        ["--model", folder.path, "--threads", "1", "--control", path], status: .none)
      let (header, frames) = pieces(3)
      filter.feed(header)
      let client = try ControlConnection(path)
      #expect(try client.ask(#"{"command":"set","at_frame":1,"preset":"live"}"#).isOK)
      for frame in frames { filter.feed(frame) }
      filter.closeInput()
      let result = filter.wait()
      #expect(result.status == 0 && Y4M.frameCount(of: result.output) == 3)
      let warnings = result.errorLines.filter { $0.contains("warning: --preset live") }
      #expect(warnings.count == 1 && warnings[0].contains("is made for balanced"))
    }
  }

  @Test("changes at the next frame where none is named, and says which that is")
  func changeNow() throws {
    let path = ControlConnection.path()
    let filter = try start(path, ["--status-fd", "3"], status: .read)
    let (header, frames) = pieces(20)
    filter.feed(header + frames[..<9].joined())
    filter.waitForOutput(8 * Self.frame)
    let client = try ControlConnection(path)
    let reply = try client.ask(#"{"command":"set","task":"dehaze"}"#)
    let effective = try #require(reply["effective_frame"]?.integer)
    #expect(effective == 9)
    for frame in frames[9...] { filter.feed(frame) }
    filter.closeInput()
    let whole = filter.wait()
    let base = try Tiny.model() + Tiny.steps + Self.streaming
    let before = try FilterProcess.run(base, input: header + frames[..<effective].joined())
    let after = try FilterProcess.run(
      base + ["--task", "dehaze"], input: header + frames[effective...].joined())
    #expect(
      whole.output == before.output + after.output[(after.output.firstIndex(of: 0x0a)! + 1)...])
    let lines = filter.statusLines()
    try Message.expectValid(lines, as: "event")
    let changed = try #require(try lines.map(Message.init).first { $0.event == "changed" })
    #expect(changed["effective_frame"]?.integer == effective)
    #expect(changed["options"] == reply["options"])
  }

  @Test("holds frames while it pauses, and lets none be lost")
  func pause() throws {
    let path = ControlConnection.path()
    let filter = try start(path, ["--chunk", "1", "--lookahead", "0"])
    let (header, frames) = pieces(8)
    filter.feed(header + frames[0])
    filter.waitForOutput(Self.frame)
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
    filter.waitForOutput(8 * Self.frame)
    // A drain finishes what was read even where it is held.
    #expect(try client.ask(#"{"command":"pause"}"#).isOK)
    filter.feed(frames[0])
    usleep(100_000)
    #expect(try client.ask(#"{"command":"drain"}"#).isOK)
    let result = filter.wait()
    filter.closeInput()
    #expect(result.status == 0, "\(result.errors)")
    #expect((8...9).contains(Y4M.frameCount(of: result.output)))
  }

  @Test("holds what it has while it pauses, though no more comes")
  func pauseAtEnd() throws {
    let path = ControlConnection.path()
    let filter = try start(path)
    let (header, frames) = pieces(4)
    filter.feed(header + frames.joined())
    // Two of a chunk have left, the others wait for what they read ahead.
    filter.waitForOutput(2 * Self.frame)
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

  @Test("tells changes that wait anew when one before them comes to nothing")
  func forgotten() throws {
    let settings = try Settings(TDMFilter.parse([]))
    var live = try LiveOptions(settings, for: .embedded())
    var (first, second) = (OptionChange(), OptionChange())
    first.strength = .given(0.5)
    first.atFrame = 10
    second.amount = .given(0.25)
    second.atFrame = 20
    for change in [first, second] { _ = try live.accept(change, next: 0) { _ in } }
    #expect(live.accepted.map(\.options.strength) == [0.5, 0.5])
    #expect(live.options.strength == 0.1)
    live.forget(before: 10)
    #expect(live.accepted.map(\.effectiveFrame) == [20])
    #expect(live.accepted[0].options.strength == 0.1 && live.accepted[0].options.amount == 0.25)
  }

  @Test("leaves a first signal after a drain the first, and refuses changes that come too late")
  func afterDrain() throws {
    let path = ControlConnection.path()
    let filter = try FilterProcess(
      Tiny.model() + Tiny.steps + ["--chunk", "1", "--lookahead", "0", "--control", path],
      readsOutput: false)
    filter.narrowOutput()
    // All can be restored, and the last one cannot be written while nobody reads.
    let count = 4096 / Self.frame + 2
    filter.feed(Y4M().stream(frames: count))
    let client = try ControlConnection(path)
    for _ in 0..<1000 where filter.unreadInput > 0 { usleep(10_000) }
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
      if readsOutput, !result.output.isEmpty { #expect(Y4M.frameCount(of: result.output) >= 0) }
    }
  }

  @Test("is the user's alone, replaces a stale one and no other")
  func place() throws {
    let path = ControlConnection.path()
    defer { unlink(path) }
    // A program that was killed leaves its socket behind.
    let killed = try start(path)
    _ = try ControlConnection(path)
    var status = stat()
    #expect(lstat(path, &status) == 0 && status.st_mode & 0o7777 == 0o600)
    killed.send(signal: SIGKILL)
    _ = killed.wait()
    #expect(access(path, F_OK) == 0)
    let second = try start(path)
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
