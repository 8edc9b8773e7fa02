import COneDNN
import Synchronization
import TensorCore

/// The one way from a oneDNN status to a Swift error.
func check(_ status: dnnl_status_t, _ what: @autoclosure () -> String) throws(KernelError) {
  if status == dnnl_success { return }
  if status == dnnl_out_of_memory {
    throw KernelError(OutOfMemory(purpose: "oneDNN: \(what())"))
  }
  let reason =
    switch status {
    case dnnl_invalid_arguments: "invalid arguments"
    case dnnl_unimplemented: "not implemented"
    default: "status \(status.rawValue)"
    }
  throw KernelError("oneDNN: \(what()): \(reason)")
}

extension ElementType {
  var dnnl: dnnl_data_type_t {
    switch self {
    case .f32: dnnl_f32
    case .bf16: dnnl_bf16
    case .f16: dnnl_f16
    }
  }
}

/// A tensor's extents, element type and layout as oneDNN sees them.
struct MemoryDescriptor {
  var raw: dnnl_memory_desc_t

  init(_ extents: [Int], _ type: ElementType, _ tag: dnnl_format_tag_t) throws(KernelError) {
    var raw = dnnl_memory_desc_t()
    let dims = extents.map { dnnl_dim_t($0) }
    try check(
      dnnl_memory_desc_init_by_tag(&raw, Int32(dims.count), dims, type.dnnl, tag),
      "descriptor of \(Shape(extents))")
    self.raw = raw
  }

  init(_ raw: dnnl_memory_desc_t) { self.raw = raw }

  var byteCount: Int { withUnsafePointer(to: raw) { dnnl_memory_desc_get_size($0) } }

  static func == (a: MemoryDescriptor, b: MemoryDescriptor) -> Bool {
    withUnsafePointer(to: a.raw) { x in
      withUnsafePointer(to: b.raw) { y in dnnl_memory_desc_equal(x, y) == 1 }
    }
  }
}

/// The processor's engine with the stream that primitives are executed on.
final class OneDNNEngine {
  /// Whether oneDNN may use AVX-512 here.
  static let usesAVX512 =
    dnnl_get_effective_cpu_isa().rawValue & dnnl_cpu_isa_avx512_core.rawValue
    == dnnl_cpu_isa_avx512_core.rawValue

  let engine: dnnl_engine_t
  let stream: dnnl_stream_t

  init() throws(KernelError) {
    var engine: dnnl_engine_t?
    try check(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine")
    var stream: dnnl_stream_t?
    try check(
      dnnl_stream_create(&stream, engine, UInt32(dnnl_stream_default_flags.rawValue)), "stream")
    self.engine = engine!
    self.stream = stream!
  }

  deinit {
    dnnl_stream_destroy(stream)
    dnnl_engine_destroy(engine)
  }
}

/// A memory object: a descriptor with the address that the next execution finds it at.
final class OneDNNMemory {
  let handle: dnnl_memory_t

  init(_ descriptor: MemoryDescriptor, _ engine: OneDNNEngine) throws(KernelError) {
    var handle: dnnl_memory_t?
    // A null address (DNNL_MEMORY_NONE): it is given before each execution.
    try check(
      withUnsafePointer(to: descriptor.raw) {
        dnnl_memory_create(&handle, $0, engine.engine, nil)
      }, "memory")
    self.handle = handle!
  }

  var pointer: UnsafeMutableRawPointer? {
    get {
      var pointer: UnsafeMutableRawPointer?
      dnnl_memory_get_data_handle(handle, &pointer)
      return pointer
    }
    set { dnnl_memory_set_data_handle(handle, newValue) }
  }

  deinit { dnnl_memory_destroy(handle) }
}

/// A primitive descriptor: what oneDNN chose for an operation.
final class PrimitiveDescriptor {
  /// oneDNN 2.6.3 keeps the block size of the convolution that it looks at in a variable of the
  /// process: of two threads that ask at once, in float32 and in bfloat16, one gets a primitive
  /// that computes something else.
  private static let oneAtATime = Mutex(())

  let handle: dnnl_primitive_desc_t

  /// - Parameter operation: points to a `dnnl_*_desc_t`.
  init(
    _ operation: UnsafeRawPointer, _ attributes: Attributes, _ engine: OneDNNEngine,
    _ what: @autoclosure () -> String
  ) throws(KernelError) {
    var handle: dnnl_primitive_desc_t?
    let status = Self.oneAtATime.withLock { _ in
      dnnl_primitive_desc_create(&handle, operation, attributes.handle, engine.engine, nil)
    }
    try check(status, what())
    self.handle = handle!
  }

  deinit { dnnl_primitive_desc_destroy(handle) }

  func descriptor(_ query: dnnl_query_t) -> MemoryDescriptor {
    MemoryDescriptor(dnnl_primitive_desc_query_md(handle, query, 0).pointee)
  }

  var scratchByteCount: Int { descriptor(dnnl_query_scratchpad_md).byteCount }

  /// What oneDNN calls its choice: `brg:avx512_core`, `gemm:jit`.
  var implementation: String {
    var name: UnsafePointer<CChar>?
    dnnl_primitive_desc_query(handle, dnnl_query_impl_info_str, 0, &name)
    return name.map { String(cString: $0) } ?? ""
  }
}

/// What is computed along with a primitive: sums and activations. Scratch memory is always the
/// caller's.
final class Attributes {
  let handle: dnnl_primitive_attr_t

  init(sumsIntoOutput: Bool, activation: Activation) throws(KernelError) {
    var handle: dnnl_primitive_attr_t?
    try check(dnnl_primitive_attr_create(&handle), "attributes")
    self.handle = handle!
    var operations: dnnl_post_ops_t?
    try check(dnnl_post_ops_create(&operations), "post-operations")
    defer { dnnl_post_ops_destroy(operations) }
    if sumsIntoOutput {
      try check(dnnl_post_ops_append_sum(operations, 1), "sum")
    }
    let algorithm: (dnnl_alg_kind_t, Float)? =
      switch activation {
      case .none: nil
      case .relu: (dnnl_eltwise_relu, 0)
      case .silu: (dnnl_eltwise_swish, 1)
      case .gelu: (dnnl_eltwise_gelu_erf, 0)
      case .quickGELU: (dnnl_eltwise_swish, 1.702)
      case .geluTanh: (dnnl_eltwise_gelu_tanh, 0)
      }
    if let (kind, alpha) = algorithm {
      try check(dnnl_post_ops_append_eltwise(operations, 1, kind, alpha, 0), "activation")
    }
    try check(dnnl_primitive_attr_set_post_ops(self.handle, operations), "post-operations")
    try check(
      dnnl_primitive_attr_set_scratchpad_mode(self.handle, dnnl_scratchpad_mode_user), "scratchpad")
  }

  deinit { dnnl_primitive_attr_destroy(handle) }
}

/// A primitive with its arguments.
final class Primitive {
  private let handle: dnnl_primitive_t
  private let engine: OneDNNEngine
  private let arguments: UnsafeMutableBufferPointer<dnnl_exec_arg_t>
  private let memories: [OneDNNMemory]  // kept alive for `arguments`
  private let what: String

  init(
    _ descriptor: PrimitiveDescriptor, _ engine: OneDNNEngine,
    arguments: [(Int32, OneDNNMemory)], _ what: String
  ) throws(KernelError) {
    var handle: dnnl_primitive_t?
    try check(dnnl_primitive_create(&handle, descriptor.handle), what)
    self.handle = handle!
    self.engine = engine
    self.what = what
    memories = arguments.map(\.1)
    self.arguments = .allocate(capacity: arguments.count)
    _ = self.arguments.initialize(
      from: arguments.map { dnnl_exec_arg_t(arg: $0.0, memory: $0.1.handle) })
  }

  deinit {
    arguments.deallocate()
    dnnl_primitive_destroy(handle)
  }

  func execute() throws(KernelError) {
    try check(
      dnnl_primitive_execute(
        handle, engine.stream, Int32(arguments.count), arguments.baseAddress), what)
  }
}
