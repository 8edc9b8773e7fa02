import CKernels
import COneDNN
import TensorCore

/// A convolution with its biases, residual and activation, by oneDNN.
final class ConvolutionStep: Step {
  let label: String
  let reads, writes: [Buffer]
  var scratchByteCount: Int { primitive.scratchByteCount }

  private let stepBias: Buffer?
  private let channels: Int
  private let ownBias: AlignedMemory
  /// bias + stepBias of the run.
  private let sum: AlignedMemory?
  private let primitive: WeightedPrimitive

  /// - Parameters:
  ///   - residual: summed in; where it is `target` itself it lies there already.
  init(
    _ settings: Convolution, source: Buffer, sourceShape: Shape, stepBias: Buffer?,
    residual: Buffer?, target: Buffer, targetShape: Shape, _ device: CPUDevice
  ) throws(KernelError) {
    self.stepBias = stepBias
    channels = targetShape.channels
    let kernel = settings.weight.shape
    label = "convolution \(kernel[2])x\(kernel[3])"
    let what = "\(settings.weight.name) on \(sourceShape)"
    let type = device.activationType

    let sourceDescriptor = try MemoryDescriptor(
      [1, sourceShape[2], sourceShape[0], sourceShape[1]], type, dnnl_nhwc)
    let targetDescriptor = try MemoryDescriptor(
      [1, targetShape[2], targetShape[0], targetShape[1]], target.type, dnnl_nhwc)
    let biasDescriptor = try MemoryDescriptor([channels], .f32, dnnl_a)
    let anyWeight = try MemoryDescriptor(kernel.extents, type, dnnl_format_tag_any)
    var operation = dnnl_convolution_desc_t()
    let padding = settings.padding
    let strides = [dnnl_dim_t(settings.stride), dnnl_dim_t(settings.stride)]
    let before = [dnnl_dim_t(padding.top), dnnl_dim_t(padding.left)]
    let after = [dnnl_dim_t(padding.bottom), dnnl_dim_t(padding.right)]
    var (s, w, b, t) = (
      sourceDescriptor.raw, anyWeight.raw, biasDescriptor.raw, targetDescriptor.raw
    )
    try check(
      dnnl_convolution_forward_desc_init(
        &operation, dnnl_forward_inference, dnnl_convolution_direct, &s, &w, &b, &t, strides,
        before, after), what)
    let descriptor = try PrimitiveDescriptor(
      &operation,
      Attributes(sumsIntoOutput: residual != nil, activation: settings.activation),
      device.engine, what)

    ownBias = try device.weights.bias(settings.bias, channels: channels)
    sum = stepBias == nil ? nil : AlignedMemory(byteCount: channels * 4)
    primitive = try WeightedPrimitive(
      descriptor,
      .init(source: sourceDescriptor, bias: biasDescriptor, target: targetDescriptor),
      source: source, residual: residual, target: target, bias: sum ?? ownBias,
      engine: device.engine, what
    ) { layout throws(KernelError) in
      try device.weights.reordered(
        settings.weight, extents: kernel.extents, tag: dnnl_oihw, to: layout)
    }
    reads = [source] + [stepBias, residual].compactMap { $0 }
    writes = [target]
  }

  func run(_ execution: Execution, frame: Int) throws(KernelError) {
    if frame == 0, let stepBias, let sum {
      let floats = { (p: UnsafeMutableRawPointer) in p.assumingMemoryBound(to: Float.self) }
      tdm_combine(
        floats(sum.pointer), 1, floats(ownBias.pointer), 1,
        floats(execution.pointer(stepBias, frame: 0)), channels, 1)
    }
    try primitive.run(execution, frame: frame)
  }
}
