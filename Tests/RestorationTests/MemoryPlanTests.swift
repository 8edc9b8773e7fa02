import FixtureSupport
import ModelFiles
import Testing

@testable import Kernels
@testable import Restoration

@Suite struct MemoryPlanTests {
  private static let canvas = Canvas(height: 460, width: 900, multiple: PlainNetworks.multiple)

  private func restore(
    _ frames: [[Float]], _ options: RestorationOptions, limits: MemoryLimits = MemoryLimits()
  ) throws -> (frames: [[Float]], memory: MemoryEstimate, statistics: RestorationStatistics) {
    let restorer = try TDMPipeline(
      schedule: try PlainStream.schedule(), options: options, canvas: Self.canvas,
      limits: limits
    ) { PlainNetworks($0) }
    return (try restorer.restore(frames), restorer.memory, restorer.statistics)
  }

  private func frames(_ count: Int) -> [[Float]] {
    (0..<count).map { frame in
      (0..<Self.canvas.frameCount).map { Float(($0 * 37 + frame * 11) % 256) }
    }
  }

  @Test(
    "Where networks look at each place by itself, tiles give what the whole gives, with the same window",
    arguments: OptionCase.all)
  func tilesEqualTheWhole(_ optionCase: OptionCase) throws {
    let frames = frames(7)
    for (chunk, lookahead) in [(1, 0), (2, 1), (0, 0)] {
      var options = PlainStream.options(optionCase.change)
      options.chunk = chunk
      options.lookahead = lookahead
      let whole = try restore(frames, options)
      #expect(whole.memory.tileCount == 1)
      let tiled = try restore(
        frames, options, limits: MemoryLimits(total: whole.memory.total * 3 / 4))
      #expect(tiled.memory.tileCount > 1)
      #expect(tiled.memory.total <= whole.memory.total * 3 / 4)
      #expect(tiled.frames.count == frames.count)
      for (a, b) in zip(tiled.frames, whole.frames) {
        #expect(zip(a, b).map { abs($0 - $1) }.max()! < 0.01)
      }
      #expect(tiled.statistics.framesOut == 7)
      for stage in [\RestorationStatistics.encode, \.sample, \.decode] {
        #expect(tiled.statistics[keyPath: stage].count == whole.statistics[keyPath: stage].count)
      }
    }
  }

  @Test("The tiling is the one that computes the fewest pixels of those that fit")
  func thrift() throws {
    let options = PlainStream.options { $0.chunk = 2 }
    let all = Tiling.candidates(Self.canvas).map {
      ($0, PlainNetworks($0).estimate(options, $0))
    }
    for (_, estimate) in all {
      let (expected, _) = try #require(all.first { $0.1.total <= estimate.total })
      let plan = try MemoryPlan(
        options, Self.canvas, MemoryLimits(total: estimate.total)
      ) { PlainNetworks($0) }
      #expect(plan.tiling == expected)
      #expect(plan.estimate.total <= estimate.total)
    }
  }

  @Test("What does not even fit in tiles is refused, with the numbers")
  func refusal() throws {
    let options = PlainStream.options { _ in }
    let least = Tiling.candidates(Self.canvas)
      .map { PlainNetworks($0).estimate(options, $0).total }.min()!
    let error = try #require(throws: InsufficientMemory.self) {
      var limits = MemoryLimits(total: least - 1)
      limits.beside = 100 << 20
      return try MemoryPlan(options, Self.canvas, limits) { PlainNetworks($0) }
    }
    let enough = 101 + (least - 1) >> 20
    #expect(
      error.description.contains("900x460")
        && error.description.hasSuffix(
          "give --memory \(enough)M or more, or less of --chunk, --lookahead, --radius, --steps"),
      "\(error)")
  }

  @Test("What takes no memory is not advised to be given less of")
  func advice() throws {
    func advice(_ change: (inout RestorationOptions) -> Void) throws -> Substring? {
      let error = try #require(throws: InsufficientMemory.self) {
        let options = PlainStream.options {
          $0.chunk = 1
          $0.lookahead = 0
          $0.radius = 0
          change(&$0)
        }
        return try MemoryPlan(options, Self.canvas, MemoryLimits(total: 1)) { PlainNetworks($0) }
      }
      return error.description.split(separator: "M or more").dropFirst().first
    }
    #expect(try advice { _ in } == nil)
    #expect(try advice { $0.fusion = 2 } == ", or less of --fusion")
    #expect(
      try advice { ($0.history, $0.lookahead) = (3, 1) } == ", or less of --history, --lookahead")
  }

  @Test("The noise that sampling starts from is counted")
  func startNoise() throws {
    let tiling = Tiling(Self.canvas)
    let estimates = [RestorationOptions.Start.inversion, .noise].map { start in
      PlainNetworks(tiling).estimate(PlainStream.options { $0.start = start }, tiling)
    }
    let latent = PlainNetworks(tiling).latentShape.count * 4
    #expect(estimates[1].total - estimates[0].total == latent)
  }

  @Test("After a change of options networks work in no more memory than is told for these")
  func change() throws {
    let clip = try Fixture.clip()
    let device = try CPUDevice(precision: .f32, threads: 1)
    let large = PlainStream.options {
      $0.inversionSteps = 1
      $0.steps = 1
      $0.chunk = 4
      $0.lookahead = 2
    }
    let restorer = try TDMPipeline(
      model: ModelFolder(path: Fixture.thin.modelFolder()), options: large, width: clip.width,
      height: clip.height, device: device)
    func push(_ count: Int) throws {
      for number in 0..<count {
        try restorer.push(clip.frame(number % clip.frameCount).map { Float($0) }) { _ in }
      }
    }
    try push(6)
    #expect(device.workspace.byteCount <= restorer.memory.activations)
    var small = large
    small.chunk = 1
    small.lookahead = 0
    try restorer.change(to: small, emit: { _ in })
    try push(2)
    #expect(device.workspace.byteCount <= restorer.memory.activations)
  }

  @Test("Features that do not fit the cache are refused")
  func features() throws {
    let options = PlainStream.options { _ in }
    let features = PlainNetworks(Tiling(Self.canvas)).estimate(options, Tiling(Self.canvas))
      .features
    #expect(features > 0)
    _ = try MemoryPlan(options, Self.canvas, MemoryLimits(features: features)) { PlainNetworks($0) }
    let error = try #require(throws: InsufficientMemory.self) {
      try MemoryPlan(options, Self.canvas, MemoryLimits(features: features - 1)) {
        PlainNetworks($0)
      }
    }
    #expect(error.description.contains("--cache-memory"))
  }
}

extension PlainNetworks {
  fileprivate func estimate(_ options: RestorationOptions, _ tiling: Tiling) -> MemoryEstimate {
    MemoryEstimate(
      options, tiling, networks: memory(sideBySide: options.heldCount), activationsOfFrame: 0,
      fusion: 0)
  }
}
