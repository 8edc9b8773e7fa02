import FixtureSupport
import Foundation
import Testing

@testable import tdm_filter

@Suite("--method zero-shot")
struct ZeroShotProgramTests {
  private func arguments(_ golden: PipelineCase) throws -> [String] {
    let clip = try Fixture.clip()
    return try [
      "--method", "zero-shot", "--model", FixtureFolder.video.modelFolder(), "--input-format",
      "raw",
      "--size", "\(clip.width)x\(clip.height)", "--pixel-format", "rgb24", "--precision", "f32",
    ] + golden.options
  }

  private func golden(_ name: String) throws -> PipelineCase {
    try #require(try FixtureFolder.video.cases().first { $0.name == name })
  }

  @Test("gives the reference's frames", arguments: ["one-segment", "segments", "from-noise"])
  func frames(name: String) throws {
    let golden = try golden(name)
    let result = try FilterProcess.run(try arguments(golden), input: Fixture.clip().bytes)
    #expect(result.status == 0, "\(result.errors)")
    let comparison = compare(result.output, with: try golden.output())
    #expect(comparison.withinOne >= 0.999 && comparison.largestDifference <= 3, "\(comparison)")
  }

  @Test("tells its plan")
  func plan() throws {
    let result = try FilterProcess.run(
      try arguments(golden("segments")) + ["--dry-run"], input: Fixture.clip().bytes)
    let plan = String(decoding: result.output, as: UTF8.self)
    #expect(result.status == 0 && plan.contains("derain, away from the prompt \"heavy rain"))
    #expect(plan.contains("zero-shot, in all --steps 6 --skip 2 --guidance 4.0 --segment 4"))
    #expect(plan.contains("5 frames come in before the first goes out"))
  }

  @Test("tells models apart by their kind, and says which option goes with which")
  func families() throws {
    let video = try FixtureFolder.video.modelFolder()
    let input = try Fixture.clip().bytes
    let raw = ["--size", "37x21", "--pixel-format", "rgb24"]
    expectFailure(
      try FilterProcess.run(["--model", video] + raw, input: input), .unfitModel,
      saying: ["CogVideoX", "--method zero-shot"])
    expectFailure(
      try FilterProcess.run(
        ["--method", "zero-shot", "--model", Fixture.small.modelFolder()] + raw, input: input),
      .unfitModel, saying: ["transformer/config.json", "CogVideoX", "--method zero-shot"])
  }

  @Test("refuses what does not fit the memory, with the number to give")
  func memory() throws {
    expectFailure(
      try FilterProcess.run(
        try arguments(golden("segments")) + ["--memory", "92M"], input: Fixture.clip().bytes),
      .insufficientMemory, saying: ["--memory", "--segment"])
  }

  @Test("keeps stdout for frames whatever oneDNN is asked to tell")
  func environment() throws {
    let golden = try golden("one-segment")
    let words = try arguments(golden).map { "'\($0)'" }.joined(separator: " ")
    let result = try FilterProcess.pipeline(
      "DNNL_VERBOSE=1 \"$TDM_FILTER\" \(words)", input: Fixture.clip().bytes)
    #expect(result.output.count == (try golden.output().count))
  }
}
