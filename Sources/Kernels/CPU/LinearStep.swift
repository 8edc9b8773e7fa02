import CKernels
import COneDNN
import TensorCore

/// A product with a weight matrix, with bias, residual and activation, by oneDNN.
final class LinearStep: Step {
  let label = "linear"
  let reads, writes: [Buffer]
  let scratchByteCount: Int

  private let source, target: Buffer
  private let residual: Buffer?
  private let weight, bias: AlignedMemory
  private let sourceMemory, targetMemory, scratchMemory: OneDNNMemory
  private let primitive: Primitive

  /// - Parameters:
  ///   - rows: tokens of a frame.
  ///   - residual: summed in; where it is `target` itself it lies there already.
  init(
    _ settings: Linear, rows: Int, source: Buffer, residual: Buffer?, target: Buffer,
    _ device: CPUDevice
  ) throws(KernelError) {
    self.source = source
    self.target = target
    self.residual = residual
    let (outputs, inputs) = (settings.weight.shape[0], settings.weight.shape[1])
    let what = "\(settings.weight.name) on \(rows) tokens"
    let type = device.activationType

    let sourceDescriptor = try MemoryDescriptor([rows, inputs], type, dnnl_ab)
    let targetDescriptor = try MemoryDescriptor([rows, outputs], target.type, dnnl_ab)
    let biasDescriptor = try MemoryDescriptor([1, outputs], .f32, dnnl_ab)
    let anyWeight = try MemoryDescriptor([inputs, outputs], type, dnnl_format_tag_any)
    var operation = dnnl_matmul_desc_t()
    var (s, w, b, t) = (
      sourceDescriptor.raw, anyWeight.raw, biasDescriptor.raw, targetDescriptor.raw
    )
    try check(dnnl_matmul_desc_init(&operation, &s, &w, &b, &t), what)
    let descriptor = try PrimitiveDescriptor(
      &operation,
      Attributes(sumsIntoOutput: residual != nil, activation: settings.activation),
      device.engine, what)

    let weightDescriptor = descriptor.descriptor(dnnl_query_weights_md)
    // The checkpoint has [outputs, inputs], which is the transpose of what the product reads.
    weight = try device.weights.reordered(
      settings.weight, extents: [inputs, outputs], tag: dnnl_ba, to: weightDescriptor)
    bias = device.weights.bias(settings.bias, channels: outputs)
    scratchByteCount = descriptor.scratchByteCount

    let engine = device.engine
    sourceMemory = try OneDNNMemory(sourceDescriptor, engine)
    targetMemory = try OneDNNMemory(targetDescriptor, engine)
    scratchMemory = try OneDNNMemory(descriptor.descriptor(dnnl_query_scratchpad_md), engine)
    let weightMemory = try OneDNNMemory(weightDescriptor, engine)
    weightMemory.pointer = weight.pointer
    let biasMemory = try OneDNNMemory(biasDescriptor, engine)
    biasMemory.pointer = bias.pointer
    primitive = try Primitive(
      descriptor, engine,
      arguments: [
        (DNNL_ARG_SRC, sourceMemory), (DNNL_ARG_WEIGHTS, weightMemory), (DNNL_ARG_BIAS, biasMemory),
        (DNNL_ARG_DST, targetMemory), (DNNL_ARG_SCRATCHPAD, scratchMemory),
      ], what)
    reads = [source] + [residual].compactMap { $0 }
    writes = [target]
  }

  func run(_ execution: Execution, frame: Int) throws(KernelError) {
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
