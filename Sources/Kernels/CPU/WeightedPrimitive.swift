import COneDNN
import TensorCore

/// A oneDNN primitive with weights and bias of its own: source, residual and output come at each
/// execution.
final class WeightedPrimitive {
  let scratchByteCount: Int

  private let source, target: Buffer
  private let residual: Buffer?
  /// Kept alive for the primitive.
  private let weight, bias: AlignedMemory
  private let sourceMemory, targetMemory, scratchMemory: OneDNNMemory
  private let primitive: Primitive

  /// The tensors as the primitive sees them.
  struct Descriptors {
    let source, bias, target: MemoryDescriptor
  }

  /// - Parameters:
  ///   - weight: gives the weights in the layout that the primitive chose.
  ///   - bias: read at every execution.
  ///   - residual: summed in; where it is `target` itself it lies there already.
  init(
    _ descriptor: PrimitiveDescriptor, _ descriptors: Descriptors, source: Buffer,
    residual: Buffer?, target: Buffer, bias: AlignedMemory, engine: OneDNNEngine, _ what: String,
    weight: (MemoryDescriptor) throws(KernelError) -> AlignedMemory
  ) throws(KernelError) {
    self.source = source
    self.residual = residual
    self.target = target
    self.bias = bias
    let weightDescriptor = descriptor.descriptor(dnnl_query_weights_md)
    self.weight = try weight(weightDescriptor)
    scratchByteCount = descriptor.scratchByteCount
    sourceMemory = try OneDNNMemory(descriptors.source, engine)
    targetMemory = try OneDNNMemory(descriptors.target, engine)
    scratchMemory = try OneDNNMemory(descriptor.descriptor(dnnl_query_scratchpad_md), engine)
    let weightMemory = try OneDNNMemory(weightDescriptor, engine)
    weightMemory.pointer = self.weight.pointer
    let biasMemory = try OneDNNMemory(descriptors.bias, engine)
    biasMemory.pointer = bias.pointer
    primitive = try Primitive(
      descriptor, engine,
      arguments: [
        (DNNL_ARG_SRC, sourceMemory), (DNNL_ARG_WEIGHTS, weightMemory), (DNNL_ARG_BIAS, biasMemory),
        (DNNL_ARG_DST, targetMemory), (DNNL_ARG_SCRATCHPAD, scratchMemory),
      ], what)
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
