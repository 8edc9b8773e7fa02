import CKernels
import COneDNN
import TensorCore

/// A convolution with its biases, residual and activation, by oneDNN.
final class ConvolutionStep: Step {
  let label: String
  let reads, writes: [Buffer]
  let scratchByteCount: Int

  private let source, target: Buffer
  private let stepBias, residual: Buffer?
  private let channels: Int
  private let weight, ownBias: AlignedMemory
  /// bias + stepBias of the run.
  private let sum: AlignedMemory?
  private let sourceMemory, targetMemory, scratchMemory: OneDNNMemory
  private let primitive: Primitive

  /// - Parameters:
  ///   - residual: summed in; where it is `target` itself it lies there already.
  init(
    _ settings: Convolution, source: Buffer, sourceShape: Shape, stepBias: Buffer?,
    residual: Buffer?, target: Buffer, targetShape: Shape, _ device: CPUDevice
  ) throws(KernelError) {
    self.source = source
    self.target = target
    self.stepBias = stepBias
    self.residual = residual
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

    let weightDescriptor = descriptor.descriptor(dnnl_query_weights_md)
    weight = try device.weights.reordered(
      settings.weight, extents: kernel.extents, tag: dnnl_oihw, to: weightDescriptor)
    ownBias = device.weights.bias(settings.bias, channels: channels)
    sum = stepBias == nil ? nil : AlignedMemory(byteCount: channels * 4)
    scratchByteCount = descriptor.scratchByteCount

    let engine = device.engine
    sourceMemory = try OneDNNMemory(sourceDescriptor, engine)
    targetMemory = try OneDNNMemory(targetDescriptor, engine)
    scratchMemory = try OneDNNMemory(descriptor.descriptor(dnnl_query_scratchpad_md), engine)
    let weightMemory = try OneDNNMemory(weightDescriptor, engine)
    weightMemory.pointer = weight.pointer
    let biasMemory = try OneDNNMemory(biasDescriptor, engine)
    biasMemory.pointer = (sum ?? ownBias).pointer
    primitive = try Primitive(
      descriptor, engine,
      arguments: [
        (DNNL_ARG_SRC, sourceMemory), (DNNL_ARG_WEIGHTS, weightMemory), (DNNL_ARG_BIAS, biasMemory),
        (DNNL_ARG_DST, targetMemory), (DNNL_ARG_SCRATCHPAD, scratchMemory),
      ], what)
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
    let output = execution.pointer(target, frame: frame)
    if let residual, residual != target {
      output.copyMemory(
        from: execution.pointer(residual, frame: frame), byteCount: target.byteCount)
    }
    sourceMemory.pointer = execution.pointer(source, frame: frame)
    targetMemory.pointer = output
    scratchMemory.pointer = execution.scratch
    try primitive.execute()
  }
}

extension WeightStore {
  /// A layer's bias, zeros where it has none.
  func bias(_ tensor: WeightTensor?, channels: Int) -> AlignedMemory {
    tensor.map(floats) ?? AlignedMemory(byteCount: channels * 4)
  }
}
