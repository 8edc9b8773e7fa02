import Kernels
import TensorCore

/// A network that takes a clip chunk by chunk, planned for each length of a chunk.
final class ChunkedNetwork {
  private struct Key: Hashable {
    let frames: Int
    let isFirst: Bool
  }

  private final class Planned {
    let plan: any Plan
    let input, output: Value
    let places: [CausalPast.Place]
    let inputTensor, outputTensor: any DeviceTensor

    init(
      _ name: String, _ shape: Shape, isFirst: Bool, on device: any Device,
      _ describe: (Value, CausalPast, Graph) -> Value
    ) throws {
      let graph = Graph(name: name)
      let past = CausalPast(isFirstChunk: isFirst)
      input = graph.input(shape)
      output = describe(input, past, graph)
      graph.output(output)
      plan = try device.plan(graph)
      places = past.places
      inputTensor = device.makeTensor(shape, storage: .exact)
      outputTensor = device.makeTensor(output.shape, storage: .exact)
    }
  }

  private let name: String
  /// Of a frame, in.
  private let frameShape: Shape
  private let device: any Device
  private let describe: (Value, CausalPast, Graph) -> Value
  private var planned: [Key: Planned] = [:]
  /// What the convolutions keep of the last chunk.
  private var past: [any DeviceTensor] = []

  init(
    _ name: String, frame: Shape, on device: any Device,
    _ describe: @escaping (Value, CausalPast, Graph) -> Value
  ) {
    self.name = name
    frameShape = frame
    self.device = device
    self.describe = describe
  }

  private func network(_ key: Key) throws -> Planned {
    if let known = planned[key] { return known }
    let made = try Planned(
      name, Shape([key.frames] + frameShape.extents), isFirst: key.isFirst, on: device, describe)
    planned[key] = made
    return made
  }

  /// Plans for clips that are cut so.
  /// - Returns: bytes that a chunk is worked on in, what stays in between, and what is always
  ///   there.
  func prepare(_ clips: [ClipChunks]) throws -> (workspace: Int, kept: Int, tensors: Int) {
    var workspace = 0
    var kept = 0
    for (index, range) in clips.flatMap({ Array($0.ranges.enumerated()) }) {
      let network = try network(Key(frames: range.count, isFirst: index == 0))
      workspace = max(workspace, network.plan.workspaceByteCount(frames: 1))
      kept = network.places.reduce(0) { $0 + $1.kept.shape.count } * device.precision.byteCount
    }
    let tensors = planned.values.reduce(0) {
      $0 + ($1.inputTensor.shape.count + $1.outputTensor.shape.count) * MemoryLayout<Float>.size
    }
    return (workspace, kept, tensors)
  }

  func run(_ input: [Float], frames: Int, isFirst: Bool) throws -> [Float] {
    let network = try network(Key(frames: frames, isFirst: isFirst))
    if past.isEmpty {
      past = network.places.map { device.makeTensor($0.kept.shape, storage: .activation) }
    }
    for (place, tensor) in zip(network.places, past) {
      // What is read is read before its place is taken by what is kept.
      if let past = place.past { network.plan.bind(past, frame: 0, to: tensor) }
      network.plan.bind(place.kept, frame: 0, to: tensor)
    }
    network.plan.bind(network.input, frame: 0, to: network.inputTensor)
    network.plan.bind(network.output, frame: 0, to: network.outputTensor)
    network.inputTensor.load(input)
    try network.plan.run(frames: 1, outputs: 1, context: nil, window: nil)
    var output = [Float](repeating: 0, count: network.outputTensor.shape.count)
    network.outputTensor.store(into: &output)
    return output
  }

  /// Gives up what was kept for a next chunk.
  func forget() {
    past = []
    // Plans keep what is bound to them, and another length of chunk has another plan.
    for network in planned.values { network.plan.unbindAll() }
  }
}
