import FixtureSupport
import Foundation
import Kernels
import ModelFiles
import Testing

@testable import Restoration

/// A model and one set of options, with what the reference pipeline gives.
struct GoldenCase: Sendable, CustomTestStringConvertible {
  let fixture: Fixture
  let pipeline: PipelineCase

  var testDescription: String { "\(fixture.rawValue), \(pipeline.name)" }

  static let all = Result {
    try Fixture.allCases.flatMap { fixture in
      try fixture.cases().map { GoldenCase(fixture: fixture, pipeline: $0) }
    }
  }

  /// As the reference's command line has them.
  func options() throws -> RestorationOptions {
    var options = RestorationOptions(Preset.paper.values)
    options.chunk = 0
    options.lookahead = 0
    options.sceneCut = .off
    var words = pipeline.options.makeIterator()
    while let word = words.next() {
      if word == "--window-in-controlnet" {
        options.windowInControlNet = true
        continue
      }
      guard let value = words.next() else { throw OptionError(word, "", expected: "a value") }
      switch word {
      case "--task": options.task = try #require(RestorationTask(name: value))
      case "--prompt": options.prompt = value
      case "--negative-prompt": options.negativePrompt = value
      case "--guidance": options.guidance = try #require(Double(value))
      case "--radius": options.radius = try #require(Int(value))
      case "--chunk": options.chunk = try #require(Int(value))
      case "--lookahead": options.lookahead = try #require(Int(value))
      case "--inversion-steps": options.inversionSteps = try #require(Int(value))
      case "--steps": options.steps = try #require(Int(value))
      case "--strength": options.strength = try #require(Double(value))
      case "--control-scale": options.controlScale = try #require(Double(value))
      case "--inversion-control-scale":
        options.inversionControlScale = try #require(Double(value))
      case "--inversion-prompt":
        options.inversionPrompt = try #require(RestorationOptions.InversionPrompt(rawValue: value))
      case "--attention":
        options.attention = try #require(RestorationOptions.Attention(rawValue: value))
      case "--start": options.start = try #require(RestorationOptions.Start(rawValue: value))
      case "--seed": options.seed = try #require(UInt64(value))
      default: Issue.record("\(word) is not known to this test")
      }
    }
    return options
  }

  /// The clip restored on the processor, rgb24.
  func restore(_ precision: Precision) throws -> [UInt8] {
    let clip = try Fixture.clip()
    let restorer = try TDMPipeline(
      model: ModelFolder(path: fixture.modelFolder()), options: options(), width: clip.width,
      height: clip.height, device: CPUDevice(precision: precision))
    let frameByteCount = clip.width * clip.height * 3
    var restored: [UInt8] = []
    func take(_ frame: [Float]) {
      restored += frame.map { UInt8(min(max(($0 + 0.5).rounded(.down), 0), 255)) }
    }
    for start in stride(from: 0, to: clip.bytes.count, by: frameByteCount) {
      try restorer.push(clip.bytes[start..<start + frameByteCount].map { Float($0) }, emit: take)
    }
    try restorer.finish(emit: take)
    return restored
  }
}

@Suite struct GoldenPipelineTests {
  @Test(
    "In float32 the pipeline gives the reference's frames, up to rounding",
    arguments: try GoldenCase.all.get())
  func pipelineEqualsTheReference(_ golden: GoldenCase) throws {
    let comparison = compare(try golden.restore(.f32), with: try golden.pipeline.output())
    #expect(comparison.withinOne >= 0.999 && comparison.largestDifference <= 3, "\(comparison)")
  }

  @Test("Prompts are as long as the text encoder reads, whatever the tokenizer's files say")
  func tokenizerLimit() throws {
    let clip = try Fixture.clip()
    let options = PlainStream.options {
      $0.inversionSteps = 0
      $0.steps = 1
    }
    func restore(_ path: String) throws -> [[Float]] {
      try TDMPipeline(
        model: ModelFolder(path: path), options: options, width: clip.width, height: clip.height,
        device: CPUDevice(precision: .f32, threads: 1)
      ).restore([clip.frame(0).map { Float($0) }])
    }
    let expected = try restore(Fixture.thin.modelFolder())
    try Fixture.thin.withCopy { folder in
      let file = folder.appending(path: "tokenizer/tokenizer_config.json")
      var config =
        try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any] ?? [:]
      config["model_max_length"] = 512
      try JSONSerialization.data(withJSONObject: config).write(to: file)
      #expect(try restore(folder.path) == expected)
    }
  }

  @Test(
    "In bfloat16 the pipeline gives pictures like the reference's",
    arguments: try GoldenCase.all.get().filter {
      ["whole-clip", "ring", "guidance"].contains($0.pipeline.name)
    })
  func bfloat16IsClose(_ golden: GoldenCase) throws {
    let restored = try golden.restore(.bf16)
    let expected = try golden.pipeline.output()
    let error = zip(restored, expected).reduce(0.0) {
      $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1))
    }
    let psnr = 10 * log10(255 * 255 * Double(expected.count) / max(error, 1))
    // Random networks amplify rounding; a mistake in the pipeline stands near 10 dB.
    #expect(restored.count == expected.count && psnr > 15, "\(psnr) dB")
  }
}
