import CKernels
import COneDNN
import TensorCore

/// A product with a weight matrix, with bias, residual and activation, by oneDNN.
final class LinearStep: Step {
  let label = "linear"
  let reads, writes: [Buffer]
  var scratchByteCount: Int { primitive.scratchByteCount }

  private let primitive: WeightedPrimitive
  /// Whether oneDNN would cut what is summed among the threads, so that their number would show in
  /// the last bit: it does with few rows, and where it has no product of its own for the processor.
  private let isForOneThread: Bool

  /// - Parameters:
  ///   - rows: tokens of a frame.
  ///   - residual: summed in; where it is `target` itself it lies there already.
  init(
    _ settings: Linear, rows: Int, source: Buffer, residual: Buffer?, target: Buffer,
    _ device: CPUDevice
  ) throws(KernelError) {
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
    isForOneThread = rows < 16 || descriptor.implementation.hasPrefix("gemm")

    primitive = try WeightedPrimitive(
      descriptor,
      .init(source: sourceDescriptor, bias: biasDescriptor, target: targetDescriptor),
      source: source, residual: residual, target: target,
      bias: try device.weights.bias(settings.bias, channels: outputs), engine: device.engine, what
    ) { layout throws(KernelError) in
      // The checkpoint has [outputs, inputs], which is the transpose of what the product reads.
      try device.weights.reordered(
        settings.weight, extents: [inputs, outputs], tag: dnnl_ba, to: layout)
    }
    reads = [source] + [residual].compactMap { $0 }
    writes = [target]
  }

  func run(_ execution: Execution, frame: Int) throws(KernelError) {
    if isForOneThread { tdm_set_team_size(1) }
    defer { if isForOneThread { tdm_set_team_size(execution.threads) } }
    try primitive.run(execution, frame: frame)
  }
}
