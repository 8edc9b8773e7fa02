import Kernels
import TensorCore

/// A network from one image, or two of a size, to another, ready to run on a device.
final class ImageNetwork {
  let outputShape: Shape
  private let plan: any Plan
  private let input, output: Value
  private let second: Value?

  init(
    name: String, input shape: Shape, hasSecond: Bool = false, output storage: Storage,
    on device: any Device, _ describe: (Value, Value?, Graph) -> Value
  ) throws {
    let graph = Graph(name: name)
    input = graph.input(shape)
    second = hasSecond ? graph.input(shape) : nil
    output = describe(input, second, graph)
    outputShape = output.shape
    graph.output(output, storage: storage)
    plan = try device.plan(graph)
  }

  /// Bytes that it works in; networks of a device share them.
  var workspaceByteCount: Int { plan.workspaceByteCount(frames: 1) }

  /// Lets go of the tensors of the last run.
  func releaseTensors() { plan.unbindAll() }

  func run(
    _ x: any DeviceTensor, _ other: (any DeviceTensor)? = nil, into result: any DeviceTensor
  ) throws {
    precondition((other != nil) == (second != nil))
    plan.bind(input, frame: 0, to: x)
    if let second, let other { plan.bind(second, frame: 0, to: other) }
    plan.bind(output, frame: 0, to: result)
    try plan.run(frames: 1, outputs: 1, context: nil, window: nil)
  }
}
