import TensorCore
import Testing

@testable import Kernels

/// Local attention over a window, through the graph.
@Suite("Local attention")
struct LocalAttentionTests {
  private static let (height, width, keyChannels, channels, reach, radius) = (5, 6, 4, 8, 1, 2)
  private let bias: Tensor
  private let frames: [[Tensor]]

  init() {
    var numbers = Numbers(seed: 12)
    let side = 2 * Self.reach + 1
    bias = numbers.tensor([Self.radius + 1, side, side])
    let (keys, values): (Shape, Shape) = (
      [Self.height, Self.width, Self.keyChannels], [Self.height, Self.width, Self.channels]
    )
    frames = (0..<5).map { _ in
      [numbers.tensor(keys), numbers.tensor(keys), numbers.tensor(values)]
    }
  }

  private func run(_ precision: Precision) throws -> GraphRun {
    try GraphRun(precision) { graph in
      let inputs = frames[0].map { graph.input($0.shape) }
      // Through an operation, so that keys and values lie among the activations.
      let moved = inputs.map { graph.affine($0, scale: 1) }
      return (
        inputs,
        graph.localAttention(
          queries: moved[0], keys: moved[1], values: moved[2], positionBias: bias.weight())
      )
    }
  }

  /// What `frame` gets that reads `window`, by the clip's numbers.
  private func expected(_ frame: Int, reading window: [Int]) -> [Float] {
    Plain.localAttention(
      frames[frame][0],
      window.map { (abs($0 - frame), frames[$0][1], frames[$0][2]) }, bias)
  }

  @Test("reads each frame of the window by its distance, across runs through the cache")
  func window() throws {
    let run = try run(.f32)
    let cache = try run.plan.makeFeatureCache(passes: 2, slots: 2)
    let first = try run(
      [frames[0], frames[1]],
      window: WindowPass(
        sources: [
          [.member(0, distance: 0), .member(1, distance: 1)],
          [.member(0, distance: 1), .member(1, distance: 0)],
        ], stores: [(member: 0, slot: 1), (member: 1, slot: 0)], cache: cache, pass: 1))
    #expect(largestDifference(first[0], expected(0, reading: [0, 1])) < 1e-5)
    #expect(largestDifference(first[1], expected(1, reading: [0, 1])) < 1e-5)

    // Frame 2 takes the slot that both frames of this run still read. Frame 0 is beyond the radius of frame 3.
    let second = try run(
      [frames[2], frames[3]],
      window: WindowPass(
        sources: [
          [.cached(slot: 1, distance: 2), .cached(slot: 0, distance: 1), .member(0, distance: 0)],
          [.cached(slot: 1, distance: 3), .member(0, distance: 1), .member(1, distance: 0)],
        ], stores: [(member: 0, slot: 0)], cache: cache, pass: 1))
    #expect(largestDifference(second[0], expected(2, reading: [0, 1, 2])) < 1e-5)
    #expect(largestDifference(second[1], expected(3, reading: [0, 2, 3])) < 1e-5)

    let third = try run(
      [frames[4]],
      window: WindowPass(
        sources: [[.cached(slot: 0, distance: 2)]], stores: [], cache: cache, pass: 1))
    #expect(largestDifference(third[0], expected(4, reading: [2])) < 1e-5)
  }

  @Test("reads the frame itself where a run has no window", arguments: Precision.allCases)
  func alone(_ precision: Precision) throws {
    let found = try run(precision)([frames[3], frames[1]])
    let tolerance: Float = precision == .f32 ? 1e-5 : 2e-2
    #expect(largestDifference(found[0], expected(3, reading: [3])) < tolerance)
    #expect(largestDifference(found[1], expected(1, reading: [1])) < tolerance)
  }

  @Test("keeps keys and values in the activations' element type")
  func featureSize() throws {
    for (precision, size) in [(Precision.f32, 4), (.bf16, 2)] {
      let positions = Self.height * Self.width
      // Each on a 64-byte boundary.
      let bytes = [Self.keyChannels, Self.channels].map {
        (positions * $0 * size + 63) / 64 * 64
      }.reduce(0, +)
      let cache = try run(precision).plan.makeFeatureCache(passes: 3, slots: 2)
      #expect(cache.byteCount == 3 * 2 * bytes)
      #expect(try run(precision).plan.featureByteCount(passes: 3, slots: 2) == cache.byteCount)
    }
  }
}
