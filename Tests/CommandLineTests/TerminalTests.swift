import FixtureSupport
import Foundation
import Testing

@testable import tdm_filter

@Suite("A terminal")
struct TerminalTests {
  @Test("shows progress in one line, that messages do not go into")
  func line() throws {
    let terminal = try Pseudoterminal()
    let messages = Messages(descriptor: terminal.device)
    #expect(messages.isTerminal)
    messages.show("1 frame")
    messages.show("2 frames")
    #expect(
      terminal.shown() == "\r\u{1b}[Ktdm-filter: 1 frame\r\u{1b}[Ktdm-filter: 2 frames")
    messages.deliver("amiss")
    messages.offer("done")
    messages.show("3 frames")
    messages.endLine()
    messages.endLine()
    #expect(
      terminal.shown()
        == "\r\ntdm-filter: amiss\r\ntdm-filter: done\r\n\r\u{1b}[Ktdm-filter: 3 frames\r\n")
  }

  @Test("shows no more of that line than it is wide", arguments: [(40, 39), (3, 20), (0, 79)])
  func width(columns: UInt16, shown: Int) throws {
    let terminal = try Pseudoterminal(columns: columns)
    Messages(descriptor: terminal.device).show(String(repeating: "0123456789", count: 12))
    let line = "tdm-filter: " + String(repeating: "0123456789", count: 12)
    #expect(terminal.shown() == "\r\u{1b}[K\(line.prefix(shown))")
  }

  @Test("that is held up holds up nothing")
  func held() throws {
    let terminal = try Pseudoterminal()
    let messages = Messages(descriptor: terminal.device)
    let isDone = Monitor(false)
    try PlainThread.start(name: "teller") {
      for _ in 0..<5000 {
        messages.show("2 frames")
        messages.offer("late")
      }
      isDone.change { $0 = true }
    }
    #expect(isDone.wait(until: { $0 }, within: .seconds(60), then: { _ in }) != nil)
    // Which lets it go on where it did not.
    #expect(terminal.shown().utf8.count < 5000 * 20)
  }

  @Test("is not taken for a descriptor that was to be open")
  func descriptor() throws {
    let terminal = try Pseudoterminal()
    let result = try FilterProcess.pipeline(
      "\"$TDM_FILTER\" --status-fd 3 3>&- 2>\(terminal.path) </dev/null >/dev/null")
    #expect(result.status == ProgramStatus.usage.rawValue)
    #expect(terminal.shown().contains("--status-fd 3: expected a descriptor that is open"))
  }

  @Test("is not taken for a stdin or stdout that is closed")
  func closedStreams() throws {
    for (closed, name) in [("<&- >/dev/null", "stdin"), ("</dev/null >&-", "stdout")] {
      let terminal = try Pseudoterminal()
      let result = try FilterProcess.pipeline("\"$TDM_FILTER\" \(closed) 2>\(terminal.path)")
      #expect(result.status == ProgramStatus.inputOutput.rawValue)
      #expect(terminal.shown().contains("\(name) is closed"))
    }
  }

  @Test("is neither read for frames nor flooded with them")
  func refusals() throws {
    let terminal = try Pseudoterminal()
    expectFailure(
      try FilterProcess([], inputDescriptor: terminal.device).wait(), .usage,
      saying: ["stdin is a terminal", "ffmpeg"])
    expectFailure(
      try FilterProcess.run([], outputFile: terminal.path), .usage,
      saying: ["stdout is a terminal", "tdm-filter < in.y4m > out.y4m"])
    expectFailure(
      try FilterProcess(["--dry-run"], inputDescriptor: terminal.device).wait(), .usage,
      saying: ["stdin is a terminal", "--input-format raw"])
    #expect(terminal.shown().isEmpty)
  }
}
