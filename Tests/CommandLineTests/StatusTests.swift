import FixtureSupport
import Foundation
import Logging
import StrictJSON
import Testing

@testable import tdm_filter

@Suite("Events on a descriptor")
struct StatusTests {
  private static let streaming = ["--chunk", "2", "--lookahead", "1"]

  private func options(_ more: [String] = streaming) throws -> [String] {
    try Tiny.model() + Tiny.steps + ["--status-fd", "3"] + more
  }

  private func number(_ key: String, of message: Message) throws -> Double {
    try #require(message[key].flatMap { Double($0.text) })
  }

  @Test("are those of the published schema, from hello to the end's totals")
  func schema() throws {
    let filter = try FilterProcess(try options(), status: .read)
    filter.feed(Y4M().stream(frames: 5))
    filter.closeInput()
    let result = filter.wait()
    #expect(result.status == 0, "\(result.errors)")
    let lines = filter.statusLines()
    try Message.expectValid(lines, as: "event")
    let messages = try lines.map(Message.init)
    #expect(messages.first?.event == "hello" && messages.last?.event == "end")
    #expect(messages.filter { $0.event == "end" }.count == 1)
    #expect(messages.first?["pid"]?.integer == Int(filter.process))
  }

  @Test("tell of a cut with the frame that begins the scene")
  func sceneCut() throws {
    let filter = try FilterProcess(try options(), status: .read)
    filter.feed(Y4M().scenes(1))
    for frame in 1..<6 { filter.feed(Y4M().scene(frame < 4 ? 0 : 1)) }
    filter.closeInput()
    #expect(filter.wait().status == 0)
    let cuts = try filter.statusLines().map(Message.init).filter { $0.event == "scene_cut" }
    #expect(cuts.map { $0["frame"]?.integer } == [4])
  }

  @Test("tell why it ended: a signal, an error", arguments: [true, false])
  func reasons(isSignal: Bool) throws {
    let filter = try FilterProcess(try options(), status: .read)
    filter.feed(Y4M().stream(frames: 3) + Array("FRAME\n".utf8) + [1, 2, 3])
    filter.waitForOutput(2 * Y4M.frameByteCount)
    if isSignal { filter.send(signal: SIGTERM) } else { filter.closeInput() }
    let result = filter.wait()
    let end = try #require(try filter.statusLines().last.map(Message.init))
    #expect(end["reason"] == .string(isSignal ? "signal" : "error"))
    #expect(end["status"]?.integer == Int(result.status))
    #expect(end["frames_out"]?.integer == 3)
    if !isSignal {
      let message = try #require(end["message"]?.string)
      #expect(result.errors.contains(message))
    }
  }

  @Test("tell of the stream's end where a signal comes after it was read")
  func signalBehindTheEnd() throws {
    let filter = try FilterProcess(
      try options(["--chunk", "1", "--lookahead", "0"]), readsOutput: false, status: .read)
    // Three fit into the pipe, one is being written and two wait.
    filter.narrowOutput()
    filter.feed(Y4M().stream(frames: 6))
    filter.closeInput()
    usleep(1_500_000)
    filter.send(signal: SIGTERM)
    filter.waitForError(containing: "SIGTERM")
    try filter.readOutput()
    #expect(filter.wait().status == 0)
    let end = try #require(try filter.statusLines().last.map(Message.init))
    #expect(end["reason"] == .string("end_of_stream") && end["frames_out"]?.integer == 6)
  }

  @Test("are taken by a pipe also where one is longer than all that is kept for it")
  func longPrompt() throws {
    let prompt = String(repeating: "rain ", count: 20_000)
    let filter = try FilterProcess(
      try options(Self.streaming + ["--prompt", prompt]), status: .read)
    filter.feed(Y4M().stream(frames: 3))
    filter.closeInput()
    #expect(filter.wait().status == 0)
    let messages = try filter.statusLines().map(Message.init)
    #expect(messages.contains { $0.event == "hello" })
    #expect(messages.last?["lost_events"] == .integer(0))
  }

  @Test("that cannot be written are warned of, once, and frames go on")
  func fullDisk() throws {
    let arguments = try options().map { "'\($0)'" }.joined(separator: " ")
    let result = try FilterProcess.pipeline(
      "\"$TDM_FILTER\" \(arguments) 3>/dev/full", input: Y4M().stream(frames: 3))
    #expect(result.status == 0 && Y4M.frameCount(of: result.output) == 3)
    #expect(result.errorLines.count { $0.contains("--status-fd: events cannot be written") } == 1)
    #expect(result.errors.contains("No space left on device"))
  }

  @Test("know the length of a file")
  func fileLength() throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "tdm-\(UUID()).y4m")
    defer { try? FileManager.default.removeItem(at: file) }
    try Data(Y4M().stream(frames: 4)).write(to: file)
    let arguments = try options().map { "'\($0)'" }.joined(separator: " ")
    let result = try FilterProcess.pipeline(
      "\"$TDM_FILTER\" \(arguments) < '\(file.path)' 3>&2 2>/dev/null >/dev/null")
    let messages = try result.errorLines.map { try Message(String($0)) }
    #expect(messages.first?["frame_count"] == .integer(4))
  }

  /// Frames move until the pipe behind stdout is full: long enough before, that is told of.
  @Test("tell how far it has come, and of a file how long it will take")
  func progress() throws {
    let frameCount = 300
    let file = FileManager.default.temporaryDirectory.appending(path: "tdm-\(UUID()).y4m")
    defer { try? FileManager.default.removeItem(at: file) }
    try Data(Y4M().stream(frames: frameCount)).write(to: file)
    let descriptor = open(file.path, O_RDONLY | O_CLOEXEC)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    let filter = try FilterProcess(
      try options(), readsOutput: false, inputDescriptor: descriptor, status: .read)
    // hello, ready, and then this until a frame is out.
    var lineCount = 3
    while true {
      let lines = filter.statusLines(atLeast: lineCount)
      if lines.contains(where: { $0.contains("eta_seconds") }) { break }
      try #require(lines.count >= lineCount, "no frame came out")
      lineCount += 1
    }
    try filter.readOutput()
    #expect(filter.wait().status == 0)
    let lines = filter.statusLines()
    try Message.expectValid(lines, as: "event")
    let messages = try lines.map(Message.init)
    let first = try #require(messages.first { $0["eta_seconds"] != nil })
    let (framesIn, framesOut) = (
      first["frames_in"]?.integer ?? 0, first["frames_out"]?.integer ?? 0
    )
    #expect(framesOut > 0 && framesIn >= framesOut && framesIn < frameCount)
    #expect(first["frames_held"]?.integer == framesIn - framesOut)
    let (seconds, left) = (try number("seconds", of: first), try number("eta_seconds", of: first))
    let share = Double(frameCount - framesOut) / Double(framesOut)
    // Both are told in thousandths.
    #expect(abs(left - seconds * share) < 0.001 * (1 + share))
    #expect(messages.last?["frames_out"]?.integer == frameCount)
    #expect(first.event == "progress" && messages.last?["eta_seconds"] == nil)
  }

  @Test("tell of frames that came late, as often as any did")
  func late() throws {
    let frameCount = 300
    let filter = try FilterProcess(
      try options(["--chunk", "1", "--lookahead", "0", "--when-late", "skip"]), readsOutput: false,
      status: .read)
    filter.feed(Y4M().stream(frames: frameCount))
    filter.closeInput()
    try filter.readOutput()
    #expect(filter.wait().status == 0)
    let lines = filter.statusLines()
    try Message.expectValid(lines, as: "event")
    let messages = try lines.map(Message.init)
    let late = messages.filter { $0.event == "late" }
    var told = 0
    for message in late {
      told += try #require(message["count"]?.integer)
      #expect(message["total"]?.integer == told && message["action"] == .string("skipped"))
      let (first, last) = (
        message["first_frame"]?.integer ?? -1, message["last_frame"]?.integer ?? -1
      )
      #expect(0 < first && first <= last && last < frameCount)
    }
    #expect(told > 0 && told == messages.last?["frames_skipped"]?.integer)
    #expect(messages.last?["frames_out"]?.integer == frameCount - told)
  }

  @Test("that nobody reads hold no frame up, and are counted")
  func stalledReader() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(ends[0]) }
    // Full to the brim before the program has said a word.
    _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
    let block = [UInt8](repeating: 0x20, count: 4096)
    while write(ends[1], block, block.count) > 0 {}
    _ = fcntl(ends[1], F_SETFL, 0)
    let filter = try FilterProcess(try options(), status: .descriptor(ends[1]))
    // A cut before every frame: an event each, more than the program keeps for a reader.
    let frameCount = 2000
    try PlainThread.start(name: "feeder") { filter.feed(Y4M().scenes(frameCount)) }
    filter.waitForOutput((frameCount - 4) * Y4M.frameByteCount)
    // Only now somebody reads.
    close(ends[1])
    let reading = ends[0]
    let told = Monitor((text: [UInt8](), hasEnded: false))
    try PlainThread.start(name: "late reader") {
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = read(reading, &buffer, buffer.count)
        told.change { $0.text += buffer[..<max(count, 0)] }
        if count <= 0 { return told.change { $0.hasEnded = true } }
      }
    }
    filter.closeInput()
    let result = filter.wait()
    #expect(result.status == 0, "\(result.errors)")
    #expect(Y4M.frameCount(of: result.output) == frameCount)
    told.wait { $0.hasEnded }
    let messages = try told.change { $0.text.drop { $0 == 0x20 } }.split(separator: 0x0a).map {
      try Message(String(decoding: $0, as: UTF8.self))
    }
    let lost = try #require(messages.last?["lost_events"]?.integer)
    #expect(messages.last?.event == "end" && lost > 0)
    let cuts = messages.filter { $0.event == "scene_cut" }.count
    #expect(cuts + lost >= frameCount - 1 && cuts < frameCount - 1)
  }

  /// Two a second come of progress alone.
  @Test("are brought to an observer after very many as they were at first")
  func observed() throws {
    let reporter = try StatusReporter(
      StatusReporter.Outlets(), logger: Logger(label: "test"), notifier: nil)
    let count = Monitor(0)
    reporter.observe { _, _ in count.change { $0 += 1 } }
    try reporter.run()
    for hundred in 0..<200 {
      for frame in 0..<100 { reporter.post(.sceneCut(frame: 100 * hundred + frame)) }
      let told = 100 * (hundred + 1)
      try #require(count.wait(until: { $0 == told }, within: .seconds(60), then: { _ in }) != nil)
    }
    reporter.end(.endOfStream)
    #expect(count.change { $0 } == 20_001 && reporter.lostEventCount == 0)
  }

  @Test("whose reader is gone end nothing")
  func readerGone() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
    close(ends[0])
    defer { close(ends[1]) }
    let filter = try FilterProcess(try options(), status: .descriptor(ends[1]))
    filter.feed(Y4M().stream(frames: 3))
    filter.closeInput()
    let result = filter.wait()
    #expect(result.status == 0, "\(result.errors)")
    #expect(Y4M.frameCount(of: result.output) == 3)
  }

  @Test("go only where something can be written", arguments: ["0", "1", "97", "-1", "99999999999"])
  func unfitDescriptor(number: String) throws {
    let result = try FilterProcess.run(["--status-fd", number])
    expectFailure(result, .usage, saying: ["--status-fd", number])
  }

  @Test("tell how long it will take where frames come by a pipe, if they are told how many")
  func expected() throws {
    let filter = try FilterProcess(
      try options(Self.streaming + ["--expected-frames", "40"]), status: .read)
    filter.feed(Y4M().stream(frames: 3))
    filter.closeInput()
    #expect(filter.wait().status == 0)
    let hello = try #require(try filter.statusLines().map(Message.init).first)
    #expect(hello["frame_count"]?.integer == 40)
    expectFailure(
      try FilterProcess.run(["--expected-frames", "0"]), .usage, saying: ["--expected-frames 0"])
  }

  @Test("do not go where frames go, by whatever number")
  func duplicate() throws {
    let options = try options().map { "'\($0)'" }.joined(separator: " ")
    let frames = Y4M().stream(frames: 1)
    let among = try FilterProcess.pipeline("$TDM_FILTER \(options) 3>&1 | cat", input: frames)
    #expect(among.status == ProgramStatus.usage.rawValue && among.output.isEmpty)
    #expect(among.errors.contains("--status-fd 3: expected a descriptor that is open"))
    let nowhere = try FilterProcess.pipeline(
      "$TDM_FILTER \(options) 3>/dev/null >/dev/null", input: frames)
    #expect(nowhere.status == 0, "\(nowhere.errors)")
  }

  @Test("are lost where they do not fit, and how many is told when there is room again")
  func lost() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
    defer { for end in ends { close(end) } }
    var status = StatusDescriptor(ends[1])
    let line = Array(repeating: UInt8(ascii: "x"), count: 999) + [0x0a]
    // A pipe of 64 KiB and a buffer of as much.
    for _ in 0..<200 { status.write(line, at: 0) }
    #expect(status.isBehind)
    #expect((60...80).contains(status.lostCount), "\(status.lostCount)")
    let lostCount = status.lostCount
    // The end's line has room even so, and says before it what was lost.
    var ending = status
    ending.write(line, at: 0, isLast: true)
    #expect(ending.lostCount == lostCount && ending.isBehind)
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    func readAll() {
      while true {
        let count = read(ends[0], &buffer, buffer.count)
        guard count > 0 else { return }
        text += buffer[..<count]
        status.flush()
      }
    }
    readAll()
    status.write(line, at: 0)
    readAll()
    let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
    let message = try Message(String(lines[lines.count - 2]))
    #expect(message.event == "lost" && message["count"]?.integer == status.lostCount)
    #expect(lines.count == 200 - status.lostCount + 2)
    #expect(lines.allSatisfy { $0.utf8.count == 999 || $0.hasPrefix("{") })
  }
}
