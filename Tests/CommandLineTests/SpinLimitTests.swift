import Testing

@testable import tdm_filter

/// What libgomp reads is in the environment of the running program.
@Suite("Threads that wait for each other")
struct SpinLimitTests {
  private func spinning(_ environment: [String: String]) throws -> [Substring] {
    let filter = try FilterProcess(
      Tiny.model() + Tiny.steps + ["--chunk", "1", "--lookahead", "0"], environment: environment)
    let stream = Y4M().stream(frames: 1)
    filter.feed(stream)
    // Frames flow: it is as it will be.
    filter.waitForOutput(stream.count)
    let variables = try filter.environment()
    filter.closeInput()
    #expect(filter.wait().status == 0)
    return variables.filter { $0.hasPrefix("GOMP_SPINCOUNT") || $0.hasPrefix("OMP_WAIT_POLICY") }
  }

  @Test("sleep soon")
  func set() throws { #expect(try spinning([:]) == ["GOMP_SPINCOUNT=2000"]) }

  @Test(
    "wait as who starts the program says",
    arguments: [("GOMP_SPINCOUNT", "500"), ("OMP_WAIT_POLICY", "passive")])
  func given(name: String, value: String) throws {
    #expect(try spinning([name: value]) == ["\(name)=\(value)"])
  }
}
