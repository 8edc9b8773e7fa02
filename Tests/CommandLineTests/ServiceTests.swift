import FixtureSupport
import Foundation
import Testing

@testable import tdm_filter

@Suite("The service manager")
struct ServiceTests {
  /// A socket as systemd has it.
  private final class Receiver {
    let descriptor: Int32
    private var messages: [String] = []

    init(_ name: String, isAbstract: Bool) throws {
      descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      let address = try #require(UnixAddress(name, isAbstract: isAbstract))
      try #require(address.withPointer { bind(descriptor, $0, $1) } == 0)
      // A message that never comes ends the test.
      var patience = timeval(tv_sec: 60, tv_usec: 0)
      setsockopt(
        descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func next() -> String? {
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = recv(descriptor, &buffer, buffer.count, 0)
      return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }
  }

  @Test(
    "hears that frames flow, that the program lives, and that it stops", arguments: [true, false])
  func notifications(isAbstract: Bool) throws {
    let name =
      isAbstract
      ? "tdm-test-\(UUID())"
      : FileManager.default.temporaryDirectory.appending(path: "tdm-\(UUID())").path
    defer { unlink(name) }
    let receiver = try Receiver(name, isAbstract: isAbstract)
    let filter = try FilterProcess(
      Tiny.model() + Tiny.steps + ["--chunk", "1", "--lookahead", "0"],
      environment: [
        "NOTIFY_SOCKET": (isAbstract ? "@" : "") + name, "WATCHDOG_USEC": "2000000",
      ])
    filter.feed(Y4M().stream(frames: 2))
    var heard: [String] = []
    while heard.last != "READY=1", let message = receiver.next() { heard.append(message) }
    #expect(heard.filter { $0 != "WATCHDOG=1" } == ["READY=1"])
    // Nothing more comes in: the loop lives all the same.
    filter.waitForOutput(2 * Y4M.frameByteCount)
    heard = []
    var beats: [ContinuousClock.Instant] = []
    func statusCount() -> Int { heard.count { $0.hasPrefix("STATUS=") } }
    // The second of them while no frames move.
    while beats.count < 5 || (statusCount() < 2 && beats.count < 60),
      let message = receiver.next()
    {
      heard.append(message)
      if message == "WATCHDOG=1" { beats.append(.now) }
    }
    // systemd kills what is silent for longer.
    for (beat, next) in zip(beats, beats.dropFirst()) {
      #expect(beat.duration(to: next) < .seconds(2))
    }
    #expect(statusCount() >= 2)
    #expect(heard.contains { $0.wholeMatch(of: /STATUS=2 frames in .* fps.*/) != nil })
    #expect(heard.count { $0 == "WATCHDOG=1" } >= 5)
    filter.send(signal: SIGTERM)
    #expect(filter.wait().status == 0)
    heard = []
    while heard.last != "STOPPING=1", let message = receiver.next() { heard.append(message) }
    #expect(heard.last == "STOPPING=1")
  }

  @Test("hears that it lives while the last frames wait for their reader")
  func stalledReader() throws {
    let name = "tdm-test-\(UUID())"
    let receiver = try Receiver(name, isAbstract: true)
    let filter = try FilterProcess(
      Tiny.model() + Tiny.steps + ["--chunk", "1", "--lookahead", "0"], readsOutput: false,
      environment: ["NOTIFY_SOCKET": "@" + name, "WATCHDOG_USEC": "400000"])
    // Three fit into the pipe, one is being written and two wait: the computing is done.
    filter.narrowOutput()
    filter.feed(Y4M().stream(frames: 6))
    filter.closeInput()
    var heard: [String] = []
    while heard.last != "READY=1", let message = receiver.next() { heard.append(message) }
    usleep(2_000_000)
    let later = ContinuousClock.now
    var beats: [ContinuousClock.Instant] = []
    while beats.count < 25, let message = receiver.next() {
      if message == "WATCHDOG=1" { beats.append(.now) }
    }
    #expect(beats.count == 25 && later.duration(to: beats.last ?? later) > .seconds(0.2))
    try filter.readOutput()
    let result = filter.wait()
    #expect(result.status == 0 && Y4M.frameCount(of: result.output) == 6)
  }

  @Test("hears no messages, which are a person's, where stderr is closed")
  func closedErrors() throws {
    let name = "tdm-test-\(UUID())"
    let receiver = try Receiver(name, isAbstract: true)
    let filter = try FilterProcess(
      ["-c", "exec \"$0\" \"$@\" 2>&-", FilterProcess.path] + Tiny.model() + Tiny.steps,
      executable: "/bin/sh", environment: ["NOTIFY_SOCKET": "@" + name])
    filter.feed(Y4M().stream(frames: 2))
    filter.closeInput()
    #expect(filter.wait().status == 0)
    var heard: [String] = []
    while heard.last != "STOPPING=1", let message = receiver.next() { heard.append(message) }
    #expect(heard.last == "STOPPING=1")
    #expect(!heard.contains { $0.hasPrefix("tdm-filter") }, "\(heard)")
  }

  @Test("is no concern of a run that it did not start")
  func absent() throws {
    #expect(try ServiceNotifier { _ in nil } == nil)
    #expect(try ServiceNotifier { _ in "" } == nil)
  }

  @Test(
    "that cannot be reached is warned of, and frames flow",
    arguments: ["@tdm-nobody", "relative", "/nowhere/at/all"])
  func unreachable(name: String) throws {
    let filter = try FilterProcess(
      Tiny.model() + Tiny.steps + ["--status-fd", "3"], environment: ["NOTIFY_SOCKET": name],
      status: .read)
    filter.feed(Y4M().stream(frames: 1))
    filter.closeInput()
    let result = filter.wait()
    #expect(result.status == 0 && Y4M.frameCount(of: result.output) == 1)
    #expect(result.errors.contains("warning: NOTIFY_SOCKET=\(name)"))
    let warning = try #require(
      try filter.statusLines().map(Message.init).first { $0.event == "warning" })
    #expect(warning["message"]?.string?.contains(name) == true)
  }

  @Test("watches only the process that it means")
  func watchdogOfAnother() throws {
    let name = "tdm-test-\(UUID())"
    let receiver = try Receiver(name, isAbstract: true)
    defer { _ = receiver.descriptor }
    func timeout(_ variables: [String: String]) throws -> Duration? {
      try ServiceNotifier { variables.merging(["NOTIFY_SOCKET": "@" + name]) { $1 }[$0] }?
        .watchdogTimeout
    }
    #expect(try timeout([:]) == nil)
    #expect(try timeout(["WATCHDOG_USEC": "3000000"]) == .seconds(3))
    #expect(try timeout(["WATCHDOG_USEC": "x"]) == nil)
    let longest = try ServiceNotifier {
      ["NOTIFY_SOCKET": "@" + name, "WATCHDOG_USEC": "\(Int.max)"][$0]
    }
    longest?.showLife()
    #expect(longest?.watchdogTimeout.map { $0 > .seconds(1_000_000_000) } == true)
    #expect(
      try timeout(["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "\(getpid())"]) == .seconds(3))
    #expect(try timeout(["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"]) == nil)
  }
}
