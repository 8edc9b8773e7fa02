import CKernels
import TensorCore

extension KernelStep {
  /// Group normalization with its activation.
  convenience init(
    _ settings: GroupNorm, source: Buffer, target: Buffer, shape: Shape, _ device: CPUDevice
  ) throws(KernelError) {
    let (pixels, channels) = (shape.rows, shape.channels)
    let weight = try device.weights.floats(settings.weight)
    let bias = try device.weights.floats(settings.bias)
    self.init(
      "group norm", [source], to: target, scratchByteCount: tdm_group_norm_scratch(pixels, channels)
    ) { execution, sources, output in
      tdm_group_norm(
        target.type.kernel, output, sources(0), pixels, channels, settings.groupCount,
        settings.epsilon, weight.floats, bias.floats, settings.activation.kernel,
        execution.scratch, execution.threads)
    }
  }

  /// Normalization of each row's channels, or of each stretch of them that is as long as the
  /// weights.
  convenience init(
    _ settings: LayerNorm, source: Buffer, target: Buffer, shape: Shape, _ device: CPUDevice
  ) throws(KernelError) {
    let weight = try device.weights.floats(settings.weight)
    let bias = try device.weights.floats(settings.bias)
    let channels = settings.weight.shape.count
    let rows = shape.count / channels
    self.init("layer norm", [source], to: target) { execution, sources, output in
      tdm_layer_norm(
        target.type.kernel, output, sources(0), rows, channels, settings.epsilon,
        weight.floats, bias.floats, execution.threads)
    }
  }

  /// Division of each row by the root of its mean square.
  convenience init(
    _ settings: RMSNorm, source: Buffer, target: Buffer, shape: Shape, _ device: CPUDevice
  ) throws(KernelError) {
    let weight = try device.weights.floats(settings.weight)
    self.init("rms norm", [source], to: target) { execution, sources, output in
      tdm_rms_norm(
        target.type.kernel, output, sources(0), shape.rows, shape.channels, settings.epsilon,
        weight.floats, execution.threads)
    }
  }
}

extension AlignedMemory {
  var floats: UnsafePointer<Float> { UnsafePointer(pointer.assumingMemoryBound(to: Float.self)) }
}
