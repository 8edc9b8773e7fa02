import FixtureSupport
import Foundation
import Testing

@testable import tdm_filter

@Suite("The program ends")
struct EndingTests {
  @Test("after a signal when every frame that was read has come out", arguments: [SIGINT, SIGTERM])
  func signal(number: Int32) throws {
    let filter = try FilterProcess(
      Tiny.model() + Tiny.steps + ["--chunk", "2", "--lookahead", "1"])
    let stream = Y4M().stream(frames: 7)
    // Seven frames and the beginning of an eighth; stdin stays open, as a camera's.
    filter.feed(stream + Array("FRAME\n".utf8) + [1, 2, 3])
    // With chunk 2 and lookahead 1 six can leave, the seventh waits for more.
    filter.waitForOutput(6 * (Y4M.frameByteCount + "FRAME\n".utf8.count))
    filter.send(signal: number)
    let result = filter.wait()
    filter.closeInput()
    #expect(result.status == 0, "\(result.errors)")
    #expect(Y4M.frameCount(of: result.output) == 7)
    #expect(result.errors.contains(number == SIGINT ? "SIGINT" : "SIGTERM"))
    let whole = try FilterProcess.run(
      Tiny.model() + Tiny.steps + ["--chunk", "2", "--lookahead", "1"], input: stream)
    #expect(result.output == whole.output)
  }

  @Test("after a signal that comes before the stream, with nothing written")
  func earlySignal() throws {
    let filter = try FilterProcess(Tiny.model())
    filter.feed(Array("YUV4MPEG2 W37".utf8))
    // It reads with its signal handlers in place.
    filter.waitForReading()
    filter.send(signal: SIGINT)
    let result = filter.wait()
    filter.closeInput()
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.isEmpty)
  }

  @Test("at once where its terminal is closed")
  func hangUp() throws {
    let filter = try FilterProcess(Tiny.model() + Tiny.steps, readsOutput: false)
    filter.feed(Array("YUV4MPEG2 W37".utf8))
    filter.waitForReading()
    filter.send(signal: SIGHUP)
    let result = filter.wait(hasOutput: false)
    filter.closeInput()
    filter.closeOutput()
    #expect(result.status == -SIGHUP, "\(result.errors)")
  }

  @Test("at once after a second signal", arguments: [SIGINT, SIGTERM])
  func secondSignal(number: Int32) throws {
    let path = ControlConnection.path()
    // Nobody reads what it writes: by itself it could not end.
    let filter = try FilterProcess(
      Tiny.model() + Tiny.steps + ["--chunk", "1", "--lookahead", "0", "--control", path],
      readsOutput: false)
    filter.narrowOutput()
    try PlainThread.start(name: "feeder") { filter.feed(Y4M().stream(frames: 100)) }
    filter.waitForFullOutput(within: Y4M.frameByteCount + "FRAME\n".utf8.count)
    filter.send(signal: SIGTERM)
    filter.waitForError(containing: "SIGTERM")
    filter.send(signal: number)
    let result = filter.wait(hasOutput: false)
    filter.closeOutput()
    let status: ProgramStatus = number == SIGINT ? .interrupted : .terminated
    #expect(result.status == status.rawValue, "\(result.errors)")
    #expect(result.errorLines.last?.contains("again: ended at once") == true, "\(result.errors)")
    #expect(access(path, F_OK) != 0)
  }

  @Test("with its own status where the reader of stdout goes away")
  func readerGone() throws {
    let filter = try FilterProcess(Tiny.model() + Tiny.steps, readsOutput: false)
    filter.closeOutput()
    try PlainThread.start(name: "feeder") {
      filter.feed(Y4M().stream(frames: 12))
      filter.closeInput()
    }
    let result = filter.wait(hasOutput: false)
    expectFailure(result, .readerGone, saying: ["read", "clos"])
  }

  @Test(
    "with the same status where nobody reads what it tells on stdout",
    arguments: [["--help"], ["--version"], ["--dry-run"]])
  func listenerGone(options: [String]) throws {
    let arguments = try options == ["--dry-run"] ? Tiny.model() + Tiny.steps + options : options
    let words = arguments.map { "'\($0)'" }.joined(separator: " ")
    // A pipe that nobody reads.
    let result = try FilterProcess.pipeline(
      """
      folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
      mkfifo "$folder/pipe"; exec 3<>"$folder/pipe" 4>"$folder/pipe" 3<&-
      "$TDM_FILTER" \(words) >&4
      """, input: Y4M().stream(frames: 1))
    expectFailure(result, .readerGone, saying: ["read", "clos"])
  }

  @Test("with status 74 where stdout cannot be written")
  func fullDisk() throws {
    let result = try FilterProcess.run(
      Tiny.model() + Tiny.steps, input: Y4M().stream(frames: 2), outputFile: "/dev/full")
    expectFailure(result, .inputOutput, saying: ["writing", "No space left"])
  }

  @Test(
    "with status 74 where what it tells on stdout cannot be written",
    arguments: [["--help"], ["--version"], ["--dry-run"]])
  func untold(options: [String]) throws {
    let arguments = try options == ["--dry-run"] ? Tiny.model() + Tiny.steps + options : options
    let result = try FilterProcess.run(
      arguments, input: Y4M().stream(frames: 1), outputFile: "/dev/full")
    expectFailure(result, .inputOutput, saying: ["writing", "No space left"])
  }
}
