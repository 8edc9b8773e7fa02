import FixtureSupport
import Foundation
import Testing

@testable import tdm_filter

@Suite("Whatever the system does")
struct FaultTests {
  private static func options() throws -> [String] {
    try Tiny.model() + Tiny.steps + ["--chunk", "2", "--lookahead", "1"]
  }

  private let stream = Y4M().stream(frames: 3)

  @Test(
    "reads and writes that are short, interrupted or would block give the same frames",
    arguments: ["short", "interrupted", "would-block", "short,interrupted,would-block"])
  func transfers(faults: String) throws {
    let plain = try FilterProcess.run(Self.options(), input: stream)
    let result = try Interposer.run(faults, Self.options(), input: stream)
    #expect(result.status == 0, "\(result.errors)")
    #expect(Y4M.frameCount(of: plain.output) == 3)
    #expect(result.output == plain.output)
  }

  @Test("pipes that a neighbour has set non-blocking give the same frames, however slow it is")
  func nonBlocking() throws {
    // More than both pipes hold, so that both sides have to wait.
    let stream = Y4M().stream(frames: 120)
    let options = try Tiny.model() + Tiny.steps + ["--chunk", "1", "--lookahead", "0"]
    let plain = try FilterProcess.run(options, input: stream)
    let filter = try FilterProcess(options, readsOutput: false, isBlocking: false)
    try PlainThread.start(name: "feeder") {
      filter.feed(stream[..<5000])
      usleep(200_000)
      filter.feed(stream[5000...])
      filter.closeInput()
    }
    // Nobody reads for as long as it takes to fill the pipe.
    usleep(1_000_000)
    try filter.readOutput()
    let result = filter.wait()
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output == plain.output)
  }

  @Test("a file that may not grow is status 74, and no signal")
  func fileSize() throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "tdm-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: path) }
    let options = try Self.options().joined(separator: " ")
    let result = try FilterProcess.pipeline(
      "ulimit -f 2; \"$TDM_FILTER\" \(options) > '\(path.path)'", input: stream)
    expectFailure(
      result, .inputOutput, saying: ["writing output", "File too large", "frames written whole: 1"])
    let whole = try FilterProcess.run(Self.options(), input: stream).output
    #expect([UInt8](try Data(contentsOf: path)) == Array(whole[..<2048]))
  }

  @Test("output that cannot be written after all, as its closing tells, is status 74")
  func closing() throws {
    let result = try Interposer.run("close", Self.options(), input: stream)
    expectFailure(result, .inputOutput, saying: ["finishing output at byte", "quota"])
    expectFailure(
      try Interposer.run("close", ["--version"], input: []), .inputOutput, saying: ["quota"])
  }

  @Test("a model that is cut short while it is read is status 66, and no signal")
  func truncatedModel() throws {
    var outcomes: Set<Int32> = []
    // Configurations, headers, tables of tokens, tensors: what is read late as well as early.
    for read in [1, 2, 10, 20, 40, 80, 160, 320, 640] {
      let result = try Interposer.run("pread=\(read)", Self.options(), input: stream)
      outcomes.insert(result.status)
      if result.status == 0 { continue }
      expectFailure(result, .unfitModel, saying: ["ends at byte", "expected"])
      #expect(result.output.isEmpty)
    }
    #expect(outcomes.contains(ProgramStatus.unfitModel.rawValue))
  }

  @Test("a thread that cannot be made is status 70")
  func threads() throws {
    // Signals, status, reader, compute.
    for thread in 1...4 {
      let result = try Interposer.run("thread=\(thread)", Self.options(), input: stream)
      expectFailure(result, .internalFault, saying: ["no thread for", "ulimit"])
    }
  }

  @Test("a library that cannot have its thread is status 70")
  func libraryThread() throws {
    let options = try Tiny.model() + ["--inversion-steps", "1", "--steps", "1", "--threads", "3"]
    let result = try Interposer.run("thread=5", options, input: stream)
    #expect(result.status == ProgramStatus.internalFault.rawValue, "\(result.errors)")
    #expect(result.errors.contains("tdm-filter: a library ended the program"), "\(result.errors)")
  }

  @Test(
    "a stack that is full, the first thread's or another's, is status 70 with a line of its own",
    arguments: [0, 1])
  func stack(descriptor: Int) throws {
    let result = try Interposer.run("overflow=\(descriptor)", Self.options(), input: stream)
    #expect(result.status == ProgramStatus.internalFault.rawValue, "\(result.errors)")
    #expect(result.errors.contains("a bad address"), "\(result.errors)")
  }

  @Test("memory that is refused is status 70, or is done without")
  func memory() throws {
    let whole = try FilterProcess.run(Self.options(), input: stream)
    let counted = try Interposer.run("count", Self.options(), input: stream)
    let count = try #require(
      counted.errors.firstMatch(of: /allocations (\d+)/).flatMap { Int($0.1) })
    let samples = Int(ProcessInfo.processInfo.environment["TDM_ALLOCATIONS"] ?? "") ?? 24
    var refused = 0
    for sample in 0..<samples {
      let number = 1 + sample * count / samples
      let result = try Interposer.run("memory=\(number)", Self.options(), input: stream)
      if result.status == 0 {
        #expect(result.output == whole.output, "allocation \(number)")
        continue
      }
      refused += 1
      #expect(
        result.status == ProgramStatus.internalFault.rawValue,
        "allocation \(number): \(result.status) \(result.errors)")
      #expect(result.errorLines.last?.hasPrefix("tdm-filter: ") == true, "\(result.errors)")
      #expect(whole.output.starts(with: result.output), "allocation \(number)")
    }
    #expect(refused > 0)
  }
}
