import Foundation
import Testing

@testable import tdm_filter

/// A long stream of small frames. `TDM_SOAK=100000 make test FILTER=Soak` makes it as long as that,
/// 1000 or more.
@Suite("Over a long stream")
struct SoakTests {
  private static let frameCount =
    ProcessInfo.processInfo.environment["TDM_SOAK"].flatMap { Int($0) } ?? 4000
  /// What may be added meanwhile, in KiB: a leak of as little as 300 bytes a frame is more.
  private static let slack = 1024

  /// What the system says of a process.
  private struct Footprint {
    let resident, threads, descriptors: Int

    init(_ filter: FilterProcess) throws {
      resident = try filter.status("VmRSS")
      threads = try filter.status("Threads")
      descriptors = try FileManager.default.contentsOfDirectory(
        atPath: "/proc/\(filter.process)/fd"
      ).count
    }
  }

  @Test(
    "memory, threads and descriptors stay as they are, and each frame comes out",
    arguments: [false, true])
  func footprint(isEmbedded: Bool) throws {
    try #require(Self.frameCount >= 1000, "TDM_SOAK: expected 1000 or more")
    // A tiny model's networks, and what users run: fusion, history and cuts; with events, too.
    let options =
      isEmbedded
      ? ["--threads", "1", "--control", ControlConnection.path()]
      : try Tiny.model() + Tiny.steps + ["--chunk", "2", "--lookahead", "1", "--scene-cut", "off"]
    let filter = try FilterProcess(
      options, readsOutput: false, patience: 100 + UInt32(Self.frameCount / 20))
    let output = try CountedOutput(filter)
    // All frames of a tenth at once: the pipe has the filter work without a pause.
    let header = Array((Y4M().header + "\n").utf8)
    let hundred = Y4M().stream(frames: 100).dropFirst(header.count)
    filter.feed(header)
    var footprints: [Footprint] = []
    for tenth in 1...10 {
      for _ in 0..<Self.frameCount / 1000 { filter.feed(hundred) }
      output.wait(frames: Self.frameCount / 1000 * 100 * tenth - 100)
      footprints.append(try Footprint(filter))
    }
    filter.closeInput()
    let result = filter.wait(hasOutput: false)
    #expect(result.status == 0, "\(result.errors)")
    let frameCount = Self.frameCount / 1000 * 1000
    #expect(output.end() == header.count + frameCount * (Y4M.frameByteCount + 6))
    #expect(result.errors.contains("done: \(frameCount) frames"))

    let (second, last) = (footprints[1], footprints[9])
    #expect(last.resident < second.resident + Self.slack, "\(footprints.map(\.resident))")
    #expect(last.threads == second.threads)
    #expect(last.descriptors == second.descriptors)
  }
}

/// Reads what a filter writes, and keeps only its length.
private final class CountedOutput: Sendable {
  private let counted = Monitor((bytes: 0, hasEnded: false))

  init(_ filter: FilterProcess) throws {
    try filter.readOutput { [counted] piece in
      counted.change {
        $0.bytes += piece
        if piece == 0 { $0.hasEnded = true }
      }
    }
  }

  /// Waits until so many frames have come, or the output ends.
  func wait(frames: Int) {
    counted.wait { $0.bytes >= frames * Y4M.frameByteCount || $0.hasEnded }
  }

  /// Waits for the end, and gives the number of bytes.
  func end() -> Int {
    counted.wait(until: { $0.hasEnded }, then: { $0.bytes })
  }
}
