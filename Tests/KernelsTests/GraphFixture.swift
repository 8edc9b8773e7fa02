import TensorCore

@testable import Kernels

/// Numbers that look random and are the same in every run: SplitMix64 (Steele, Lea and Flood 2014).
struct Numbers: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Uniform in -1...1.
  mutating func floats(_ count: Int) -> [Float] {
    (0..<count).map { _ in Float.random(in: -1...1, using: &self) }
  }

  mutating func tensor(_ shape: Shape) -> Tensor { Tensor(shape, floats(shape.count)) }
}

/// Weights in memory, as a checkpoint would give them.
final class WeightsInMemory: WeightStorage {
  private let bytes: [UInt8]

  init(_ elements: [Float]) { bytes = elements.withUnsafeBytes { Array($0) } }

  func withBytes<R>(
    in range: Range<Int>, _ body: (UnsafeRawBufferPointer) -> R
  ) throws(StorageError) -> R {
    bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }
}

extension Tensor {
  func weight(_ name: String = "weight") -> WeightTensor {
    WeightTensor(
      name: name, shape: shape, elementType: .f32, storage: WeightsInMemory(elements),
      range: 0..<elements.count * 4)
  }
}

/// Largest difference between two tensors, relative to the largest magnitude of the second.
func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
  precondition(a.count == b.count)
  let scale = max(b.map(abs).max() ?? 0, 1e-6)
  return zip(a, b).map { abs($0 - $1) }.max().map { $0 / scale } ?? 0
}

/// A graph with inputs and one output, run for some frames.
struct GraphRun {
  let device: CPUDevice
  let plan: any Plan
  private let inputs: [Value]
  private let result: Value
  private let storage: Storage

  init(
    _ precision: Precision, storage: Storage = .exact, _ describe: (Graph) -> ([Value], Value)
  ) throws {
    try self.init(on: CPUDevice(precision: precision, threads: 2), storage: storage, describe)
  }

  init(
    on device: CPUDevice, storage: Storage = .exact, _ describe: (Graph) -> ([Value], Value)
  ) throws {
    self.device = device
    let graph = Graph(name: "test")
    (inputs, result) = describe(graph)
    self.storage = storage
    graph.output(result, storage: storage)
    plan = try device.plan(graph)
  }

  /// - Parameters:
  ///   - frames: for each frame its inputs.
  ///   - count: of the frames whose results are wanted; nil: all.
  /// - Returns: the results of those.
  func callAsFunction(
    _ frames: [[Tensor]], outputs count: Int? = nil, context: (any PreparedContext)? = nil,
    window: WindowPass? = nil
  ) throws -> [[Float]] {
    var outputs: [any DeviceTensor] = []
    for (number, tensors) in frames.enumerated() {
      for (value, tensor) in zip(inputs, tensors) {
        let input = device.makeTensor(value.shape, storage: .exact)
        input.load(tensor.elements)
        plan.bind(value, frame: number, to: input)
      }
      guard number < count ?? frames.count else { continue }
      let output = device.makeTensor(result.shape, storage: storage)
      plan.bind(result, frame: number, to: output)
      outputs.append(output)
    }
    try plan.run(
      frames: frames.count, outputs: outputs.count, context: context, window: window)
    return outputs.map {
      var elements = Array(repeating: Float(0), count: $0.shape.count)
      $0.store(into: &elements)
      return elements
    }
  }
}
