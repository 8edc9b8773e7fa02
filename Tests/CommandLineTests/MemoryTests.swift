import FixtureSupport
import Foundation
import TensorCore
import Testing

@testable import tdm_filter

@Suite("Memory")
struct MemoryTests {
  /// Raw gray frames just large enough to be cut, for the embedded model.
  private static let size = "656x400"
  private static let byteCount = 656 * 400
  private static let options = [
    "--preset", "live", "--size", size, "--pixel-format", "gray", "--scene-cut", "off",
  ]

  /// Restores two frames by the embedded model.
  private func run(_ options: [String] = []) throws -> (
    promised: Int, peak: Int, result: FilterResult
  ) {
    let run = try run(Self.options + options, frames: 2, of: Self.byteCount) {
      $0.waitForOutput(2 * Self.byteCount)
    }
    #expect(run.result.output.count == 2 * Self.byteCount)
    return run
  }

  /// Restores some frames.
  /// - Parameters:
  ///   - byteCount: of a frame.
  ///   - measured: returns when the program, which is still there to be asked, has done what it is
  ///     measured by.
  /// - Returns: what the first line promises and what was resident at most until then, in bytes.
  private func run(
    _ arguments: [String], frames: Int, of byteCount: Int,
    until measured: (FilterProcess) throws -> Void
  ) throws -> (promised: Int, peak: Int, result: FilterResult) {
    let filter = try FilterProcess(arguments, patience: 900)
    filter.feed((0..<frames * byteCount).map { UInt8(truncatingIfNeeded: $0 * 31 % 251) })
    try measured(filter)
    let peak = try filter.status("VmHWM") << 10
    filter.closeInput()
    let result = filter.wait()
    #expect(result.status == 0, "\(result.errors)")
    let line = try #require(result.errorLines.first)
    let amount = try #require(line.firstMatch(of: /memory ([0-9.]+) ([GMK])iB at most/))
    let promised = try #require(ByteCount(parsing: "\(amount.1)\(amount.2)")).bytes
    return (promised, peak, result)
  }

  @Test(
    "is no more than the first line says; bounding it cuts the picture into tiles"
  )
  func promise() throws {
    let whole = try run()
    #expect(!whole.result.errors.contains("tiles"))
    let limit = whole.promised - 8 << 20
    let tiled = try run(["--memory", "\(limit)"])
    #expect(tiled.result.errorLines[0].contains(" tiles of "), "\(tiled.result.errors)")
    #expect(tiled.promised <= limit + 1 << 20)
    for (promised, peak, result) in [whole, tiled] {
      #expect(peak < promised + 20 << 20, "\(peak): \(result.errors)")
      #expect(peak > promised / 2, "\(peak): \(result.errors)")
    }
  }

  @Test(
    "is no more than the first line says where frames take next to nothing",
    arguments: [[], ["--task", "dehaze"], ["--task", "superres"], ["--preset", "live"]])
  func program(options: [String]) throws {
    let (width, height) = (64, 48)
    let count = options.contains("superres") ? 16 : 1
    let (promised, peak, result) = try run(
      options + ["--size", "\(width)x\(height)", "--pixel-format", "gray"], frames: 6,
      of: width * height
    ) { $0.waitForOutput(3 * count * width * height) }
    #expect(peak < promised, "\(peak) of \(promised): \(result.errors)")
    // What the program takes by itself is promised for the machines where that is most.
    #expect(peak > promised * 2 / 5, "\(peak) of \(promised): \(result.errors)")
  }

  @Test("of zero-shot deraining is no more than the first line says, for segments of any length")
  func zeroShot() throws {
    // Large enough for the networks to take more than the program beside them.
    let (width, height, segment) = (384, 288, 9)
    let byteCount = width * height
    let path = ControlConnection.path()
    let (promised, peak, result) = try run(
      [
        "--method", "zero-shot", "--model", FixtureFolder.video.modelFolder(), "--steps", "2",
        "--skip", "1", "--segment", "\(segment)", "--overlap", "0", "--size", "\(width)x\(height)",
        "--pixel-format", "gray", "--control", path,
      ], frames: segment + 1, of: byteCount
    ) { filter in
      filter.waitForOutput(segment * byteCount)
      // A change ends the clip, whose last segment is then a single frame.
      let reply = try ControlConnection(path).ask(#"{"command":"set","guidance":9}"#)
      #expect(reply.isOK, "\(reply.text)")
      filter.feed([UInt8](repeating: 0, count: byteCount))
      filter.waitForOutput((segment + 1) * byteCount)
    }
    #expect(result.output.count == (segment + 2) * byteCount)
    #expect(peak < promised + 20 << 20, "\(peak): \(result.errors)")
    #expect(peak > promised / 2, "\(peak): \(result.errors)")
  }

  @Test("is no more than the first line says where clients change to smaller networks")
  func changes() throws {
    let path = ControlConnection.path()
    let (frames, byteCount) = (5, 320 * 180)
    let (promised, peak, _) = try run(
      [
        "--task", "deartifact", "--size", "320x180", "--pixel-format", "gray", "--scene-cut", "off",
        "--control", path,
      ], frames: frames, of: byteCount
    ) { filter in
      filter.waitForOutput(byteCount)
      let client = try ControlConnection(path)
      for (index, change) in [
        #""task":"denoise""#, #""preset":"live""#, #""task":"derain""#,
        #""task":"dehaze","preset":"balanced""#, #""task":"denoise","preset":"live""#,
      ].enumerated() {
        let reply = try client.ask(#"{"command":"set",\#(change)}"#)
        #expect(reply.isOK, "\(reply.text)")
        filter.feed([UInt8](repeating: UInt8(index * 40), count: frames * byteCount))
      }
      // `live` waits for no later frame.
      filter.waitForOutput(6 * frames * byteCount)
    }
    #expect(peak < promised + 20 << 20, "\(peak) of \(promised)")
  }

  @Test("that cannot do is refused before anything is written")
  func refusal() throws {
    // Rain is what a window is read for.
    for (option, size) in [("--memory", "2M"), ("--cache-memory", "1K")] {
      let result = try FilterProcess.run(
        Self.options + ["--task", "derain", option, size],
        input: [UInt8](repeating: 0, count: Self.byteCount))
      expectFailure(result, .insufficientMemory, saying: [option, Self.size, "--radius"])
      #expect(result.output.isEmpty)
    }
  }

  @Test("that is refused is told with how much would do, which does")
  func enough() throws {
    let frame = [UInt8](repeating: 0, count: Self.byteCount)
    let refused = try FilterProcess.run(Self.options + ["--memory", "2M"], input: frame)
    let told = try #require(refused.errors.firstMatch(of: /give --memory ([0-9]+M) or more/))
    let result = try FilterProcess.run(
      Self.options + ["--memory", String(told.1)], input: frame)
    #expect(result.status == 0 && result.output.count == Self.byteCount, "\(result.errors)")
  }

  @Test("is given in bytes or with a unit", arguments: ["lots", "6X", "-1G", "0"])
  func amounts(size: String) throws {
    let result = try FilterProcess.run(["--memory", size])
    expectFailure(result, .usage, saying: ["--memory", size])
  }
}
