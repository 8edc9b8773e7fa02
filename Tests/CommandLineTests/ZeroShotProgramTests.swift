import FixtureSupport
import Foundation
import Testing

@testable import tdm_filter

@Suite("--method zero-shot")
struct ZeroShotProgramTests {
  private func arguments(_ golden: PipelineCase) throws -> [String] {
    let clip = try Fixture.clip()
    return try [
      "--method", "zero-shot", "--model", FixtureFolder.video.modelFolder(), "--input-format",
      "raw",
      "--size", "\(clip.width)x\(clip.height)", "--pixel-format", "rgb24", "--precision", "f32",
    ] + golden.options
  }

  private func golden(_ name: String) throws -> PipelineCase {
    try #require(try FixtureFolder.video.cases().first { $0.name == name })
  }

  @Test("gives the reference's frames", arguments: ["one-segment", "segments", "from-noise"])
  func frames(name: String) throws {
    let golden = try golden(name)
    let result = try FilterProcess.run(try arguments(golden), input: Fixture.clip().bytes)
    #expect(result.status == 0, "\(result.errors)")
    let comparison = compare(result.output, with: try golden.output())
    #expect(comparison.withinOne >= 0.999 && comparison.largestDifference <= 3, "\(comparison)")
  }

  @Test("tells its plan")
  func plan() throws {
    let result = try FilterProcess.run(
      try arguments(golden("segments")) + ["--dry-run", "--amount", "0.5"],
      input: Fixture.clip().bytes)
    let plan = String(decoding: result.output, as: UTF8.self)
    #expect(result.status == 0 && plan.contains("derain, away from the prompt \"heavy rain"))
    #expect(plan.contains("zero-shot, in all --steps 6 --skip 2 --guidance 4.0 --segment 4"))
    #expect(plan.contains("--amount 0.5\n"))
    #expect(plan.contains("5 frames come in before the first goes out"))
  }

  @Test("tells models apart by their kind, and says which option goes with which")
  func families() throws {
    let video = try FixtureFolder.video.modelFolder()
    let input = try Fixture.clip().bytes
    let raw = ["--size", "37x21", "--pixel-format", "rgb24"]
    expectFailure(
      try FilterProcess.run(["--model", video] + raw, input: input), .unfitModel,
      saying: ["CogVideoX", "--method zero-shot"])
    expectFailure(
      try FilterProcess.run(
        ["--method", "zero-shot", "--model", Fixture.small.modelFolder()] + raw, input: input),
      .unfitModel, saying: ["transformer/config.json", "CogVideoX", "--method zero-shot"])
  }

  @Test("refuses a text encoder whose attention does not fit the memory")
  func textEncoder() throws {
    let files = FileManager.default
    let folder = files.temporaryDirectory.appending(path: "tdm-copy-\(UUID().uuidString)")
    defer { try? files.removeItem(at: folder) }
    try files.copyItem(atPath: FixtureFolder.video.modelFolder(), toPath: folder.path)
    for (part, changes) in [
      ("text_encoder", ["num_heads": 65536, "d_kv": 1]),
      ("transformer", ["max_text_seq_length": 4096]),
    ] {
      let file = folder.appending(path: part + "/config.json")
      let config = try #require(
        JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
      try JSONSerialization.data(withJSONObject: config.merging(changes) { $1 }).write(to: file)
    }
    let result = try FilterProcess.run(
      [
        "--method", "zero-shot", "--model", folder.path, "--size", "37x21", "--pixel-format",
        "rgb24",
      ],
      input: Fixture.clip().bytes)
    expectFailure(result, .insufficientMemory, saying: ["memory"])
  }

  @Test("refuses what does not fit the memory, with the number to give")
  func memory() throws {
    let arguments = try arguments(golden("segments"))
    let whole = try FilterProcess.run(arguments, input: Fixture.clip().bytes)
    let told = try #require(whole.errors.firstMatch(of: /memory ([0-9]+)[0-9.]* MiB at most/))
    let less = try #require(Int(told.1)) - 2
    expectFailure(
      try FilterProcess.run(arguments + ["--memory", "\(less)M"], input: Fixture.clip().bytes),
      .insufficientMemory, saying: ["--memory", "--segment"])
  }

  @Test("gives as many frames as come, in any format", arguments: [0, 1, 2, 5, 9])
  func counts(frames: Int) throws {
    let stream = Y4M().stream(frames: frames)
    let result = try FilterProcess.run(
      [
        "--method", "zero-shot", "--model", FixtureFolder.video.modelFolder(), "--steps", "2",
        "--skip",
        "1", "--segment", "4", "--overlap", "1",
      ], input: stream)
    #expect(result.status == 0 && result.output.count == stream.count, "\(result.errors)")
  }

  @Test(
    "is told other guidance and amount while it runs, and nothing else; the output is that of two runs"
  )
  func control() throws {
    let golden = try golden("segments")
    let bytes = try Fixture.clip().bytes
    let frame = bytes.count / (try Fixture.clip().frameCount)
    let path = ControlConnection.path()
    let filter = try FilterProcess(try arguments(golden) + ["--control", path])
    // A segment is four frames: the fifth has the first two leave.
    filter.feed(Array(bytes[..<(5 * frame)]))
    filter.waitForOutput(2 * frame)
    let client = try ControlConnection(path)
    for change in [
      #""task":"derain""#, #""prompt":"rain""#, #""strength":0.5"#, #""preset":"live""#,
    ] {
      let refusal = try client.ask("{\"command\":\"set\",\(change)}")
      #expect(!refusal.isOK && refusal.text.contains("guidance"), "\(refusal.text)")
    }
    let reply = try client.ask(#"{"command":"set","guidance":9,"amount":0.5}"#)
    #expect(reply.isOK && reply.text.contains(#""effective_frame":5"#), "\(reply.text)")
    try Message.expectValid([reply.text], as: "reply")
    filter.feed(Array(bytes[(5 * frame)...]))
    filter.closeInput()
    let result = filter.wait()
    let before = try FilterProcess.run(
      try arguments(golden), input: Array(bytes[..<(5 * frame)]))
    let after = try FilterProcess.run(
      try arguments(golden) + ["--guidance", "9", "--amount", "0.5"],
      input: Array(bytes[(5 * frame)...]))
    #expect(result.status == 0 && result.output == before.output + after.output)
  }

  @Test("keeps stdout for frames whatever oneDNN is asked to tell")
  func environment() throws {
    let golden = try golden("one-segment")
    let words = try arguments(golden).map { "'\($0)'" }.joined(separator: " ")
    let result = try FilterProcess.pipeline(
      "DNNL_VERBOSE=1 \"$TDM_FILTER\" \(words)", input: Fixture.clip().bytes)
    #expect(result.output.count == (try golden.output().count))
  }
}
