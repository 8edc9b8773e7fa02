import CKernels
import TensorCore

final class GroupNormStep: Step {
  let label = "group norm"
  let reads, writes: [Buffer]
  let scratchByteCount: Int

  private let settings: GroupNorm
  private let source, target: Buffer
  private let pixels, channels: Int
  private let weight, bias: AlignedMemory

  init(
    _ settings: GroupNorm, source: Buffer, target: Buffer, shape: Shape, _ device: CPUDevice
  ) throws(KernelError) {
    self.settings = settings
    self.source = source
    self.target = target
    pixels = shape.rows
    channels = shape.channels
    weight = try device.weights.floats(settings.weight)
    bias = try device.weights.floats(settings.bias)
    scratchByteCount = tdm_group_norm_scratch(
      pixels, channels, settings.groupCount, device.threads)
    reads = [source]
    writes = [target]
  }

  func run(_ execution: Execution, frame: Int) {
    tdm_group_norm(
      target.type.kernel, execution.pointer(target, frame: frame),
      execution.pointer(source, frame: frame), pixels, channels, settings.groupCount,
      settings.epsilon, weight.floats, bias.floats, settings.activation.kernel, execution.scratch,
      execution.threads)
  }
}

final class LayerNormStep: Step {
  let label = "layer norm"
  let reads, writes: [Buffer]

  private let settings: LayerNorm
  private let source, target: Buffer
  private let rows, channels: Int
  private let weight, bias: AlignedMemory

  init(
    _ settings: LayerNorm, source: Buffer, target: Buffer, shape: Shape, _ device: CPUDevice
  ) throws(KernelError) {
    self.settings = settings
    self.source = source
    self.target = target
    rows = shape.rows
    channels = shape.channels
    weight = try device.weights.floats(settings.weight)
    bias = try device.weights.floats(settings.bias)
    reads = [source]
    writes = [target]
  }

  func run(_ execution: Execution, frame: Int) {
    tdm_layer_norm(
      target.type.kernel, execution.pointer(target, frame: frame),
      execution.pointer(source, frame: frame), rows, channels, settings.epsilon, weight.floats,
      bias.floats, execution.threads)
  }
}

extension AlignedMemory {
  var floats: UnsafePointer<Float> { UnsafePointer(pointer.assumingMemoryBound(to: Float.self)) }
}
