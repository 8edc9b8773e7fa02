import ControlProtocol
import FixtureSupport
import Foundation
import StrictJSON
import Testing

@testable import tdm_filter

@Suite("Changes while it runs")
struct ControlChangeTests {
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
    let (header, frames) = ControlledRun.pieces(60)
    filter.feed(header)
    let client = try ControlConnection(path)
    let reply = try client.ask("{\"command\":\"set\",\"at_frame\":50,\(change)}")
    #expect(reply["effective_frame"]?.integer == 50, "\(reply.text)")
    for frame in frames { filter.feed(frame) }
    filter.closeInput()
    let whole = filter.wait()
    #expect(whole.status == 0, "\(whole.errors)")
    #expect(!whole.errors.contains("warning"), "\(whole.errors)")
    // What has changed is told, and nothing else.
    let told = whole.errorLines.filter { $0.contains("from frame 50 on by preset ") }
    #expect(told.count == 1 && !told[0].contains("inversion_prompt"), "\(whole.errors)")
    let before = try FilterProcess.run(base, input: header + frames[..<50].joined())
    let after = try FilterProcess.run(base + options, input: header + frames[50...].joined())
    #expect(Y4M.frameCount(of: whole.output) == 60)
    let afterFrames = after.output[(after.output.firstIndex(of: 0x0a)! + 1)...]
    #expect(whole.output == before.output + afterFrames)
    // And it is a change at all.
    let unchanged = try FilterProcess.run(base, input: header + frames.joined())
    #expect(unchanged.output != whole.output)
  }

  @Test("takes back what was given by hand or by a client, as though it had never been")
  func takenBack() throws {
    let path = ControlConnection.path()
    let base = try Tiny.model() + ["--threads", "1", "--steps", "2", "--inversion-steps", "1"]
    let filter = try FilterProcess(base + ["--amount", "0.5", "--control", path], status: .none)
    let (header, frames) = ControlledRun.pieces(6)
    filter.feed(header)
    let client = try ControlConnection(path)
    for change in [
      #""at_frame":2,"guidance":2.5,"strength":0.4,"prompt":"remove the fog""#,
      #""at_frame":4,"guidance":null,"strength":null,"prompt":null,"amount":null"#,
    ] {
      #expect(try client.ask("{\"command\":\"set\",\(change)}").isOK)
    }
    for frame in frames { filter.feed(frame) }
    filter.closeInput()
    let whole = filter.wait()
    #expect(whole.status == 0, "\(whole.errors)")
    let last = try FilterProcess.run(base, input: header + frames[4...].joined())
    #expect(Y4M.frameCount(of: last.output) == 2)
    let pictures = last.output[(last.output.firstIndex(of: 0x0a)! + 1)...]
    #expect(whole.output.suffix(pictures.count).elementsEqual(pictures))
    #expect(!whole.output.prefix(last.output.count).elementsEqual(last.output))
  }

  @Test("tells a change that waits by the preset that another brings before it")
  func pendingPreset() throws {
    let path = ControlConnection.path()
    // A model without presets of its own: both come to the same options.
    let filter = try FilterProcess(
      Tiny.model() + Tiny.steps + ["--preset", "balanced", "--control", path])
    filter.feed(Y4M().stream(frames: 1))
    let client = try ControlConnection(path)
    let task = #"{"command":"set","at_frame":60,"task":"derain"}"#
    #expect(try client.ask(task)["preset"]?.string == "balanced")
    #expect(try client.ask(#"{"command":"set","at_frame":50,"preset":"paper"}"#).isOK)
    let pending = try #require(try client.ask(#"{"command":"get"}"#)["pending"]?.array)
    #expect(pending.map { $0.object?["preset"]?.string } == ["paper", "paper"])
    filter.closeInput()
    #expect(filter.wait().status == 0)
  }

  /// A stream's header, and its frames one by one, larger than the work sizes here.
  private static func largerPieces(_ count: Int) -> (header: [UInt8], frames: [[UInt8]]) {
    let (width, height) = (100, 60)
    let frames = (0..<count).map { frame in
      Array("FRAME\n".utf8)
        + (0..<width * height).map { UInt8(60 + ($0 % 97 + $0 / width * 3 + frame * 5) % 120) }
    }
    return (Array("YUV4MPEG2 W\(width) H\(height) F25:1 Ip Cmono\n".utf8), frames)
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
      let (header, frames) = Self.largerPieces(12)
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

  /// Runs a model of whose tasks one is another model's, and has that model take over at frame 3.
  /// - Parameters:
  ///   - presets: of the model.
  ///   - change: for frame 3; another may follow, for frame 100.
  ///   - spoil: what happens to the folder when two frames are there.
  private func takeOver(
    by presets: String, _ options: [String], change: String, further: String? = nil,
    spoil: (URL) throws -> Void = { _ in }
  ) throws -> (reply: Message, frames: Int, result: FilterResult) {
    try Fixture.thin.withCopy { folder in
      try Fixture.haar.writeModel(to: folder.appending(path: "other"))
      try Data(presets.utf8).write(to: folder.appending(path: "presets.json"))
      let path = ControlConnection.path()
      let (header, frames) = Self.largerPieces(6)
      let filter = try FilterProcess(
        ["--model", folder.path, "--chunk", "1", "--lookahead", "0", "--control", path] + options,
        status: .none)
      filter.feed(header + frames[..<2].joined())
      let client = try ControlConnection(path)
      let reply = try client.ask("{\"command\":\"set\",\"at_frame\":3,\(change)}")
      if let further {
        #expect(try client.ask("{\"command\":\"set\",\"at_frame\":100,\(further)}").isOK)
      }
      filter.waitForOutput(2 * frames[0].count)
      try spoil(folder)
      filter.feed(Array(frames[2...].joined()))
      filter.closeInput()
      let result = filter.wait()
      let body = result.output.drop { $0 != 0x0a }.dropFirst()
      return (reply, body.count / frames[0].count, result)
    }
  }

  @Test("ends with the model's error where neither the new nor the former networks can be made")
  func neitherNetworks() throws {
    let (reply, frames, result) = try takeOver(
      by: #"{"balanced": {"inversion_steps": 0, "steps": 1, "task_model": {"derain": "other"}}}"#,
      [], change: #""task":"derain""#,
      // Of networks that wait there are one change's: those for frame 3 have to be made once more.
      further: #""amount":0.5"#
    ) { folder in
      for part in ["unet", "other/unet"] {
        let weights = folder.appending(path: part + "/diffusion_pytorch_model.safetensors")
        #expect(truncate(weights.path, 64) == 0)
      }
    }
    #expect(reply.isOK, "\(reply.text)")
    expectFailure(result, .unfitModel, saying: ["diffusion_pytorch_model.safetensors"])
    #expect(frames == 3)
  }

  @Test("changes to a ControlNet that was not needed before, whose files the sandbox holds open")
  func controlNetOfAnotherPreset() throws {
    let (reply, frames, result) = try takeOver(
      by: """
        {"live": {"inversion_steps": 0, "steps": 1, "control_scale": 0},
         "balanced": {"inversion_steps": 0, "steps": 1, "task_work_size": {"dehaze": 64}}}
        """,
      ["--preset", "live"], change: #""preset":"balanced","task":"dehaze""#)
    #expect(reply.isOK, "\(reply.text)")
    #expect(result.status == 0 && frames == 6, "\(result.errors)")
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
            expectFailure(result, .unfitModel, saying: ["/none: expected a model's folder"])
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
      let (header, frames) = ControlledRun.pieces(3)
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
    let filter = try ControlledRun.start(path, ["--status-fd", "3"], status: .read)
    let (header, frames) = ControlledRun.pieces(20)
    filter.feed(header + frames[..<9].joined())
    filter.waitForOutput(8 * ControlledRun.frameByteCount)
    let client = try ControlConnection(path)
    let reply = try client.ask(#"{"command":"set","task":"dehaze"}"#)
    let effective = try #require(reply["effective_frame"]?.integer)
    #expect(effective == 9)
    for frame in frames[9...] { filter.feed(frame) }
    filter.closeInput()
    let whole = filter.wait()
    let base = try Tiny.model() + Tiny.steps + ControlledRun.streaming
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
}
