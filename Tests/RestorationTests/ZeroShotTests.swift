import FixtureSupport
import Foundation
import Kernels
import ModelFiles
import Testing

@testable import Restoration

/// One set of options of zero-shot deraining, with what the reference gives under them.
struct ZeroShotCase: Sendable, CustomTestStringConvertible {
  let pipeline: PipelineCase

  var testDescription: String { pipeline.name }

  static let all = Result { try FixtureFolder.video.cases().map(ZeroShotCase.init) }

  /// As the reference's command line has them.
  func options() throws -> RestorationOptions {
    var options = RestorationOptions.zeroShotDeraining
    var words = pipeline.options.makeIterator()
    while let word = words.next() {
      let next = words.next()
      let value = try #require(next)
      switch word {
      case "--steps": options.steps = try #require(Int(value))
      case "--guidance": options.guidance = try #require(Double(value))
      case "--negative-prompt": options.negativePrompt = value
      case "--seed": options.seed = try #require(UInt64(value))
      case "--skip": options.zeroShot.skip = try #require(Int(value))
      case "--segment": options.zeroShot.segment = try #require(Int(value))
      case "--overlap": options.zeroShot.overlap = try #require(Int(value))
      case "--switch-blocks": options.zeroShot.switchBlocks = try #require(BlockList(value))
      default: Issue.record("\(word) is not known to this test")
      }
    }
    return options
  }

  func restorer(_ precision: Precision) throws -> any FrameRestorer {
    let clip = try Fixture.clip()
    return try options().makeRestorer(
      model: ModelFolder(path: FixtureFolder.video.modelFolder()), width: clip.width,
      height: clip.height, device: CPUDevice(precision: precision), limits: MemoryLimits())
  }
}

extension FrameRestorer {
  /// The golden clip restored, rgb24.
  func restoreClip(after push: (Int) -> Void = { _ in }) throws -> [UInt8] {
    let clip = try Fixture.clip()
    var restored: [UInt8] = []
    func take(_ frame: [Float]) {
      restored += frame.map { UInt8(min(max(($0 + 0.5).rounded(.down), 0), 255)) }
    }
    for index in 0..<clip.frameCount {
      try self.push(clip.frame(index).map { Float($0) }, emit: take)
      push(restored.count / (clip.width * clip.height * 3))
    }
    try finish(emit: take)
    return restored
  }
}

@Suite("Zero-shot deraining")
struct ZeroShotTests {
  @Test(
    "gives the reference's frames in float32, up to rounding", arguments: try ZeroShotCase.all.get()
  )
  func equalsTheReference(_ golden: ZeroShotCase) throws {
    let restored = try golden.restorer(.f32).restoreClip()
    let comparison = compare(restored, with: try golden.pipeline.output())
    #expect(comparison.withinOne >= 0.999 && comparison.largestDifference <= 3, "\(comparison)")
  }

  @Test("gives pictures like the reference's in bfloat16", arguments: try ZeroShotCase.all.get())
  func bfloat16IsClose(_ golden: ZeroShotCase) throws {
    let restored = try golden.restorer(.bf16).restoreClip()
    let expected = try golden.pipeline.output()
    let error = zip(restored, expected).reduce(0.0) {
      $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1))
    }
    let psnr = 10 * log10(255 * 255 * Double(expected.count) / max(error, 1))
    #expect(restored.count == expected.count && psnr > 20, "\(psnr) dB")
  }

  @Test("pads to multiples of 16 and of what the networks divide a side by")
  func padding() {
    #expect(
      [1, 4, 8, 16, 24, 32].map(ZeroShotDerainer.pictureMultiple) == [16, 16, 16, 16, 48, 32])
  }

  @Test("gives a segment's frames when the next one begins, but for those that it reaches")
  func streaming() throws {
    let golden = try #require(
      try ZeroShotCase.all.get().first { $0.pipeline.name == "segments" })
    // Segments of four frames, two of them shared: the fifth frame that comes says that the first
    // segment is not the last.
    let restorer = try golden.restorer(.f32)
    var left: [Int] = []
    let restored = try restorer.restoreClip { left.append($0) }
    #expect(left == [0, 0, 0, 0, 2, 2, 4])
    #expect(restorer.options.latency == 5)
    #expect(restorer.statistics.framesIn == 7 && restorer.statistics.framesOut == 7)
    // What is pushed afterwards is a clip of its own.
    #expect(try restorer.restoreClip() == restored)
  }

  @Test("refuses a byte less than it says that it takes, and tells which option takes less")
  func memory() throws {
    let golden = try #require(try ZeroShotCase.all.get().first)
    let needed = try golden.restorer(.f32).memory.total
    let clip = try Fixture.clip()
    let error = #expect(throws: InsufficientMemory.self) {
      try golden.options().makeRestorer(
        model: ModelFolder(path: FixtureFolder.video.modelFolder()), width: clip.width,
        height: clip.height, device: CPUDevice(precision: .f32),
        limits: MemoryLimits(total: needed - 1))
    }
    #expect(error?.description.contains("--segment") == true)
  }

  @Test("plans everything before the first frame: a stream's end takes no further weights")
  func plannedAhead() throws {
    let clip = try Fixture.clip()
    for segment in [1, 2, 4, 5, 6] {
      var options = RestorationOptions.zeroShotDeraining
      options.steps = 2
      options.zeroShot = ZeroShotOptions()
      options.zeroShot.skip = 0
      options.zeroShot.segment = segment
      options.zeroShot.overlap = segment / 3
      let device = try CPUDevice(precision: .bf16)
      let restorer = try options.makeRestorer(
        model: ModelFolder(path: FixtureFolder.video.modelFolder()), width: clip.width,
        height: clip.height, device: device, limits: MemoryLimits())
      let weights = device.weightByteCount
      #expect(weights <= restorer.memory.weights)
      let restored = try restorer.restoreClip()
      #expect(restored.count == clip.bytes.count)
      #expect(device.weightByteCount <= weights)
    }
  }

  @Test("takes other guidance while it runs, and nothing else")
  func changes() throws {
    let golden = try #require(try ZeroShotCase.all.get().first)
    let restorer = try golden.restorer(.f32)
    var other = restorer.options
    other.guidance = 9
    try restorer.change(to: other, limits: nil) { _ in }
    #expect(restorer.options.guidance == 9)
    other.zeroShot.segment = 20
    #expect(throws: OptionError.self) { try restorer.check(other, limits: nil) }
  }

  @Test("estimates its time without a whole segment")
  func rehearsal() throws {
    let golden = try #require(try ZeroShotCase.all.get().first)
    let rehearsal = try golden.restorer(.f32).rehearse()
    #expect(rehearsal.perFrame > .zero && rehearsal.groupSize == 49 && rehearsal.emitted == 41)
  }

  @Test("refuses options that cannot be")
  func refusals() throws {
    func expectRefusal(_ name: String, _ spoil: (inout RestorationOptions) -> Void) throws {
      var options = RestorationOptions.zeroShotDeraining
      try options.validate()
      spoil(&options)
      let error = #expect(throws: OptionError.self) { try options.validate() }
      #expect(error?.description.hasPrefix(name) == true)
    }
    try expectRefusal("--skip 100") { $0.zeroShot.skip = 100 }
    try expectRefusal("--skip 40") { $0.steps = 40 }
    try expectRefusal("--segment 0") { $0.zeroShot.segment = 0 }
    try expectRefusal("--overlap 49") { $0.zeroShot.overlap = 49 }
    try expectRefusal("--task denoise") { $0.task = .denoise }
  }

  @Test("works out a longer clip's time from two shorter ones'")
  func tokenCost() {
    func seconds(_ tokens: Int) -> Double { 2e-3 * Double(tokens) + 3e-6 * Double(tokens * tokens) }
    let cost = TokenCost((100, seconds(100)), (250, seconds(250)))
    #expect(abs(cost.seconds(4000) - seconds(4000)) < 1e-6)
    // More tokens that took less time are noise.
    #expect(TokenCost((100, 2), (200, 1)).seconds(300) == 1.5)
  }

  @Test("reads lists of blocks")
  func blocks() {
    #expect(BlockList("0-3,15-29")?.numbers == Set(Array(0...3) + Array(15...29)))
    #expect(BlockList("")?.numbers == [])
    #expect(BlockList("7,7")?.numbers == [7])
    for text in ["3-1", "a", "1-", "-1", "1-2-3", "99999", " 1"] { #expect(BlockList(text) == nil) }
  }

  @Test("cross-fades segments so that weights of a frame add up to one")
  func blending() {
    let blending = SegmentBlending(length: 5, overlap: 2)
    let first = blending.weights(count: 5, isFirst: true, isLast: false)
    let last = blending.weights(count: 4, isFirst: false, isLast: true)
    #expect(first.prefix(3) == [1, 1, 1] && last.suffix(2) == [1, 1])
    for (a, b) in zip(first.suffix(2), last.prefix(2)) { #expect(abs(a + b - 1) < 1e-6) }
    #expect(blending.weights(count: 5, isFirst: true, isLast: true) == [1, 1, 1, 1, 1])
  }
}
