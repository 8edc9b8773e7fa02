import CKernels
import COneDNN
import TensorCore

/// Weights in the layouts that primitives want, each made once and shared by all plans of a device.
final class WeightStore {
  private struct Key: Hashable {
    let storage: ObjectIdentifier
    let range: Range<Int>
    var isTransformed = false
  }

  private var matrices: [Key: [(descriptor: MemoryDescriptor, memory: AlignedMemory)]] = [:]
  private var vectors: [Key: AlignedMemory] = [:]
  /// Kept, so that their identifiers stay unique.
  private var checkpoints: [ObjectIdentifier: any WeightStorage] = [:]
  private let engine: OneDNNEngine
  private let threads: Int32

  init(engine: OneDNNEngine, threads: Int32) {
    self.engine = engine
    self.threads = threads
  }

  var byteCount: Int {
    vectors.values.reduce(0) { $0 + $1.byteCount }
      + matrices.values.joined().reduce(0) { $0 + $1.memory.byteCount }
  }

  /// Lets go of what no plan holds, and of the files that nothing else is of.
  func discardUnused() {
    for key in Array(vectors.keys) where isKnownUniquelyReferenced(&vectors[key]!) {
      vectors[key] = nil
    }
    for key in Array(matrices.keys) {
      for index in matrices[key]!.indices.reversed()
      where isKnownUniquelyReferenced(&matrices[key]![index].memory) {
        matrices[key]!.remove(at: index)
      }
      if matrices[key]!.isEmpty { matrices[key] = nil }
    }
    let read = Set((Array(vectors.keys) + Array(matrices.keys)).map(\.storage))
    checkpoints = checkpoints.filter { read.contains($0.key) }
  }

  private func key(_ tensor: WeightTensor) -> Key {
    let identifier = ObjectIdentifier(tensor.storage)
    checkpoints[identifier] = tensor.storage
    return Key(storage: identifier, range: tensor.range)
  }

  /// The tensor as float32, row-major: norms' parameters, biases, operands of sgemm.
  func floats(_ tensor: WeightTensor) throws(KernelError) -> AlignedMemory {
    let key = key(tensor)
    if let memory = vectors[key] { return memory }
    let memory = try plain(tensor)
    vectors[key] = memory
    return memory
  }

  /// A 3x3 convolution's kernels as tdm_winograd reads them.
  func winograd(_ tensor: WeightTensor) throws(KernelError) -> AlignedMemory {
    var key = key(tensor)
    key.isTransformed = true
    if let memory = vectors[key] { return memory }
    let (outputs, inputs) = (tensor.shape[0], tensor.shape[1])
    let plain = try plain(tensor)
    let memory = try allocate(36 * inputs * outputs * 4, tensor.name)
    tdm_winograd_weight(
      memory.pointer.assumingMemoryBound(to: Float.self), plain.floats, inputs, outputs, threads)
    vectors[key] = memory
    return memory
  }

  /// A layer's bias, zeros where it has none.
  func bias(_ tensor: WeightTensor?, channels: Int) throws(KernelError) -> AlignedMemory {
    guard let tensor else { return AlignedMemory(byteCount: channels * 4) }
    return try floats(tensor)
  }

  /// The tensor in a primitive's layout.
  /// - Parameters:
  ///   - extents: as the primitive sees them, with `tag` the checkpoint's layout of them.
  ///   - descriptor: the layout wanted.
  func reordered(
    _ tensor: WeightTensor, extents: [Int], tag: dnnl_format_tag_t, to descriptor: MemoryDescriptor
  ) throws(KernelError) -> AlignedMemory {
    let key = key(tensor)
    if let found = matrices[key]?.first(where: { $0.descriptor == descriptor }) {
      return found.memory
    }
    let plain = try plain(tensor)
    let source = try OneDNNMemory(MemoryDescriptor(extents, .f32, tag), engine)
    source.pointer = plain.pointer
    let result = try allocate(descriptor.byteCount, tensor.name)
    let target = try OneDNNMemory(descriptor, engine)
    target.pointer = result.pointer
    try reorder(source, to: target, tensor.name)
    matrices[key, default: []].append((descriptor, result))
    return result
  }

  private func reorder(
    _ source: OneDNNMemory, to target: OneDNNMemory, _ name: String
  ) throws(KernelError) {
    var from: UnsafePointer<dnnl_memory_desc_t>?
    var to: UnsafePointer<dnnl_memory_desc_t>?
    try check(dnnl_memory_get_memory_desc(source.handle, &from), name)
    try check(dnnl_memory_get_memory_desc(target.handle, &to), name)
    var description: dnnl_primitive_desc_t?
    try check(
      dnnl_reorder_primitive_desc_create(
        &description, from, engine.engine, to, engine.engine, nil), "reordering \(name)")
    defer { dnnl_primitive_desc_destroy(description) }
    var primitive: dnnl_primitive_t?
    try check(dnnl_primitive_create(&primitive, description), "reordering \(name)")
    defer { dnnl_primitive_destroy(primitive) }
    let arguments = [
      dnnl_exec_arg_t(arg: DNNL_ARG_FROM, memory: source.handle),
      dnnl_exec_arg_t(arg: DNNL_ARG_TO, memory: target.handle),
    ]
    try check(
      dnnl_primitive_execute(primitive, engine.stream, 2, arguments), "reordering \(name)")
  }

  /// The tensor as float32, row-major, in memory of its own.
  private func plain(_ tensor: WeightTensor) throws(KernelError) -> AlignedMemory {
    let count = tensor.shape.count
    let memory = try allocate(count * 4, tensor.name)
    let floats = memory.pointer
    do throws(StorageError) {
      try tensor.storage.withBytes(in: tensor.range) { bytes in
        switch tensor.elementType {
        case .f32: floats.copyMemory(from: bytes.baseAddress!, byteCount: count * 4)
        case .bf16: tdm_affine(TDM_F32, floats, TDM_BF16, bytes.baseAddress, 1, 0, count, threads)
        case .f16:
          tdm_f16_to_f32(
            floats.assumingMemoryBound(to: Float.self),
            bytes.baseAddress!.assumingMemoryBound(to: UInt16.self), count, threads)
        }
      }
    } catch { throw KernelError(error) }
    return memory
  }

  private func allocate(_ byteCount: Int, _ name: String) throws(KernelError) -> AlignedMemory {
    do throws(OutOfMemory) {
      return try AlignedMemory(checking: byteCount, for: name)
    } catch { throw KernelError(error) }
  }
}
