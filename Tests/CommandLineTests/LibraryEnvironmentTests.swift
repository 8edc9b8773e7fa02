import Foundation
import Testing

@testable import tdm_filter

/// What libraries read is in the environment of the running program.
@Suite("What libraries are told")
struct LibraryEnvironmentTests {
  private func found(
    _ environment: [String: String], executable: String = FilterProcess.path
  ) throws -> [Substring] {
    let filter = try FilterProcess(
      Tiny.model() + Tiny.steps + ["--chunk", "1", "--lookahead", "0"], executable: executable,
      environment: environment)
    let stream = Y4M().stream(frames: 1)
    filter.feed(stream)
    // Frames flow: it is as it will be.
    filter.waitForOutput(stream.count)
    let variables = try filter.environment()
    filter.closeInput()
    #expect(filter.wait().status == 0)
    let names = ["GOMP_SPINCOUNT=", "OMP_WAIT_POLICY=", "OPENBLAS_NUM_THREADS="]
    return variables.filter { variable in names.contains { variable.hasPrefix($0) } }.sorted()
  }

  private static let alone: Substring = "OPENBLAS_NUM_THREADS=1"

  @Test("is that threads sleep soon, and that OpenBLAS has none, whatever the program is called")
  func set() throws {
    let expected = ["GOMP_SPINCOUNT=2000", Self.alone]
    #expect(try found([:]) == expected)
    #expect(try found(["OPENBLAS_NUM_THREADS": "3"]) == expected)
    let link = NSTemporaryDirectory() + "tdm-link-\(UUID().uuidString)"
    try FileManager.default.createSymbolicLink(
      atPath: link, withDestinationPath: FilterProcess.path)
    defer { try? FileManager.default.removeItem(atPath: link) }
    #expect(try found([:], executable: link) == expected)
  }

  @Test(
    "is that threads wait as who starts the program says",
    arguments: [("GOMP_SPINCOUNT", "500"), ("OMP_WAIT_POLICY", "passive")])
  func given(name: String, value: String) throws {
    #expect(try found([name: value]) == ["\(name)=\(value)", Self.alone])
  }
}
