import FixtureSupport
import Foundation
import Testing

@testable import tdm_filter

/// A source that does not wait for a filter that cannot go on: nobody reads what it writes.
@Suite("While the reader of stdout stands still")
struct WhenLateTests {
  private static let count = 300
  /// So many that a pipe's 64 KiB and every place in the program are taken by far fewer.
  private static let surelyLate = 200
  private static let options = ["--chunk", "1", "--lookahead", "0"]

  /// Feeds everything, and only then reads.
  private func run(_ whenLate: String) throws -> FilterResult {
    let filter = try FilterProcess(
      Tiny.model() + Tiny.steps + Self.options + ["--when-late", whenLate], readsOutput: false)
    filter.feed(Y4M().stream(frames: Self.count))
    filter.closeInput()
    try filter.readOutput()
    return filter.wait()
  }

  /// The number before some words on the closing line.
  private func count(before words: String, in result: FilterResult) throws -> Int {
    let line = try #require(result.errorLines.last { $0.contains("done: ") })
    let part = try #require(line.split(separator: ", ").first { $0.contains(words) })
    return try #require(Int(part.prefix { $0.isNumber }))
  }

  @Test("late frames are left out, and all others restored, with skip")
  func skip() throws {
    let result = try run("skip")
    #expect(result.status == 0, "\(result.errors)")
    let skipped = try count(before: "left out late", in: result)
    #expect(skipped >= Self.surelyLate)
    #expect(Y4M.frameCount(of: result.output) == Self.count - skipped)
    #expect(result.errors.contains("late: frame "))
    #expect(result.errors.contains("latency p50 "))
  }

  @Test("late frames are told of also while no more come")
  func silence() throws {
    let filter = try FilterProcess(
      Tiny.model() + Tiny.steps + Self.options + ["--when-late", "skip", "--status-fd", "3"],
      readsOutput: false, status: .read)
    filter.narrowOutput()
    filter.feed(Y4M().stream(frames: 30))
    func late() throws -> [Int] {
      try filter.statusLines(atLeast: 0).map(Message.init).filter { $0.event == "late" }
        .compactMap { $0["total"]?.integer }
    }
    let deadline = ContinuousClock.now + .seconds(60)
    while try late().count < 2, ContinuousClock.now < deadline { usleep(50_000) }
    #expect(try late().last.map { $0 > 10 } == true)
    filter.closeInput()
    try filter.readOutput()
    #expect(filter.wait().status == 0)
  }

  @Test("late frames pass through in their places with passthrough")
  func passthrough() throws {
    let result = try run("passthrough")
    #expect(result.status == 0, "\(result.errors)")
    let passed = try count(before: "passed through late", in: result)
    #expect(passed >= Self.surelyLate)
    #expect(Y4M.frameCount(of: result.output) == Self.count)
    let stream = Y4M().stream(frames: Self.count)
    let size = Y4M.frameByteCount + "FRAME\n".utf8.count
    func frame(_ number: Int, of bytes: [UInt8]) -> ArraySlice<UInt8> {
      let start = bytes.count - (Self.count - number) * size
      return bytes[start..<start + size]
    }
    let same = (0..<Self.count).count { frame($0, of: result.output) == frame($0, of: stream) }
    #expect(same == passed)
  }

  @Test("the source waits where nothing is said")
  func wait() throws {
    let filter = try FilterProcess(
      Tiny.model() + Tiny.steps + Self.options, readsOutput: false)
    let fed = Monitor(false)
    try PlainThread.start(name: "feeder") {
      filter.feed(Y4M().stream(frames: Self.count))
      fed.change { $0 = true }
      filter.closeInput()
    }
    // Were nothing to hold it up, the feeder would be done long before.
    usleep(500_000)
    #expect(!fed.change { $0 })
    try filter.readOutput()
    let result = filter.wait()
    #expect(result.status == 0, "\(result.errors)")
    #expect(Y4M.frameCount(of: result.output) == Self.count)
    #expect(result.linesBesidePlan.count == 1, "\(result.errors)")
  }

  @Test("does not go with the whole clip at once", arguments: ["skip", "passthrough"])
  func wholeClip(mode: String) throws {
    let result = try FilterProcess.run(["--when-late", mode, "--chunk", "0"])
    expectFailure(result, .usage, saying: ["--when-late \(mode)", "--chunk"])
  }

  @Test("places are there for the chunk that the model says, unless another is given")
  func chunkOfModel() throws {
    func places(_ options: String...) throws -> Int {
      try withPresets(#"{"live": {"chunk": 9}, "paper": {"chunk": 0}}"#) { path in
        let settings = try Settings(
          TDMFilter.parse(["--model", path, "--when-late", "skip"] + options))
        return try settings.whenLate.places(settings.options(for: settings.openModel()))
      }
    }
    #expect(try places("--preset", "live") == 11)
    #expect(try places("--preset", "live", "--chunk", "1") == 3)
    let failure = #expect(throws: Failure.self) { try places("--preset", "paper") }
    #expect(failure?.status == .usage)
  }

  /// All frames of a chunk come at once, and then none until they have left.
  @Test("places are there for the chunk of a client's preset, and none for the whole clip")
  func chunkOfChange() throws {
    let presets = #"""
      {"live": {"chunk": 1, "lookahead": 0}, "balanced": {"chunk": 6, "lookahead": 0},
       "paper": {"chunk": 0}}
      """#
    let (chunk, chunkCount) = (6, 4)
    try Fixture.thin.withCopy { folder in
      try Data(presets.utf8).write(to: folder.appending(path: "presets.json"))
      let path = ControlConnection.path()
      let filter = try FilterProcess(
        ["--model", folder.path, "--preset", "live", "--when-late", "skip", "--control", path]
          + Tiny.steps)
      let stream = Y4M().stream(frames: 1 + chunkCount * chunk)
      let frame = Y4M.frameByteCount + "FRAME\n".utf8.count
      let first = stream.count - chunkCount * chunk * frame
      filter.feed(Array(stream[..<first]))
      let client = try ControlConnection(path)
      let refused = try client.ask(#"{"command":"set","preset":"paper"}"#)
      #expect(refused.errorCode == "invalid_value", "\(refused.text)")
      #expect(try client.ask(#"{"command":"set","preset":"balanced","at_frame":1}"#).isOK)
      for number in 0..<chunkCount {
        filter.waitForOutput((1 + number * chunk) * frame)
        filter.feed(Array(stream[(first + number * chunk * frame)...].prefix(chunk * frame)))
      }
      filter.closeInput()
      let result = filter.wait()
      #expect(result.status == 0, "\(result.errors)")
      #expect(Y4M.frameCount(of: result.output) == 1 + chunkCount * chunk, "\(result.errors)")
    }
  }
}
