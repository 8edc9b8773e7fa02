import Glibc
import Testing

@testable import tdm_filter

extension FilterResult {
  /// What came of an attempt.
  fileprivate func outcome(of attempt: String) -> Substring? {
    errorLines.first { $0.hasPrefix("probe: \(attempt) ") }?
      .dropFirst("probe: \(attempt) ".count)
  }
}

private enum Landlock {
  /// Whether the kernel has it, asked for through the interposed library: Swift cannot make the
  /// call.
  static let isThere = Result {
    let options = try Tiny.model() + Tiny.steps + ["--sandbox", "off"]
    let result = try Interposer.run("probe-loading", options, input: Y4M().stream(frames: 1))
    return try #require(result.outcome(of: "landlock"), "\(result.errors)") == "succeeded"
  }
}

/// What a fault in the program could do: the interposed library tries it within the process itself.
@Suite("The sandbox")
struct SandboxTests {
  private let stream = Y4M().stream(frames: 4)

  private func options(_ sandbox: String) throws -> [String] {
    try Tiny.model() + Tiny.steps + ["--chunk", "1", "--lookahead", "0", "--sandbox", sandbox]
  }

  /// What reaches other processes.
  private static let signalsToOthers = [
    "kill", "thread-signal", "other-signal", "other-queued-signal", "other-queued-thread-signal",
    "descriptor-signal", "socket-signal", "socket-group-signal", "other-limit",
  ]

  @Test("lets nothing be opened, connected, started or signalled once frames flow, and frames flow")
  func openings() throws {
    let result = try Interposer.run("probe", options("auto"), input: stream)
    #expect(result.status == 0, "\(result.errors)")
    let denied = ["open", "create", "socket", "unix-socket", "unlink", "fork", "execute"]
    for attempt in denied + Self.signalsToOthers + ["typing"] {
      #expect(result.outcome(of: attempt) == "EPERM", "\(attempt): \(result.errors)")
    }
    for attempt in ["own-signal", "own-queued-signal", "own-limit", "other-request"] {
      #expect(result.outcome(of: attempt) == "succeeded", "\(attempt): \(result.errors)")
    }
    let free = try FilterProcess.run(options("off"), input: stream)
    #expect(Y4M.frameCount(of: free.output) == 4)
    #expect(result.output == free.output)
  }

  @Test("lets files be read while the model is being loaded")
  func loading() throws {
    let result = try Interposer.run("probe-loading", options("auto"), input: stream)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.outcome(of: "open") == "succeeded", "\(result.errors)")
  }

  @Test(
    "lets nothing be written from the start, not even by a plan",
    .enabled(if: try Landlock.isThere.get(), "the kernel has no Landlock"),
    arguments: [[], ["--dry-run"]])
  func changes(further: [String]) throws {
    let result = try Interposer.run("probe-loading", options("auto") + further, input: stream)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.outcome(of: "create") == "EACCES", "\(result.errors)")
  }

  @Test(
    "binds every thread from the start",
    .enabled(if: try Landlock.isThere.get(), "the kernel has no Landlock"))
  func threadsOfLibraries() throws {
    let filter = try FilterProcess(try options("auto"))
    filter.feed(Array("YUV4MPEG2 ".utf8))
    // It waits for the rest of the header. All of its own threads are there before long.
    var privileges: [Int] = []
    for _ in 0..<500 where privileges.count < 4 || privileges.contains(0) {
      usleep(10_000)
      privileges = try filter.threadStatus("NoNewPrivs")
    }
    filter.closeInput()
    _ = filter.wait()
    #expect(privileges.count >= 4 && !privileges.contains(0), "\(privileges)")
  }

  @Test("is off where it is to be off")
  func off() throws {
    let result = try Interposer.run("probe", options("off"), input: stream)
    #expect(result.status == 0, "\(result.errors)")
    for attempt in ["open", "create", "socket", "unlink", "fork"] + Self.signalsToOthers {
      #expect(result.outcome(of: attempt) == "succeeded", "\(attempt): \(result.errors)")
    }
  }

  @Test("has room for as many threads as are asked for")
  func threads() throws {
    let options = try Tiny.model() + ["--inversion-steps", "1", "--steps", "1"]
    let one = try FilterProcess.run(options + ["--threads", "1"], input: stream)
    let several = try FilterProcess.run(options + ["--threads", "3"], input: stream)
    #expect(several.status == 0, "\(several.errors)")
    #expect(Y4M.frameCount(of: several.output) == Y4M.frameCount(of: one.output))
  }
}
