import CKernels
import COneDNN
import COpenBLAS
import TensorCore

/// The processor: convolutions and products by oneDNN (float32 products by OpenBLAS where it has
/// the better code, most 3x3 convolutions in float32 by ``WinogradStep``), the rest by this
/// package's own kernels, all on one team of threads.
public final class CPUDevice: Device {
  public let precision: Precision
  public let threadCount: Int

  let engine: OneDNNEngine
  let weights: WeightStore
  let workspace = Workspace()
  /// Whether float32 products are computed by OpenBLAS. Set before planning.
  var favoursSgemm = SgemmStep.isFaster
  /// Where set, every operation's time is added up in it.
  public var profile: OperationTimes?

  /// The processors that the process may run on.
  public static var processorCount: Int { Int(tdm_processor_count()) }

  /// Whether the processor computes in bfloat16 faster than in float32.
  public static var favoursBF16: Bool { tdm_bf16_is_faster() != 0 }

  /// Whether oneDNN computes in bfloat16 at all on this processor.
  public static var supportsBF16: Bool { tdm_isa_detect().rawValue >= TDM_ISA_AVX512.rawValue }

  /// The instruction sets that kernels use here: `amx-bf16`, `avx512-bf16`, `avx512`, `avx2` or
  /// `plain`.
  public static var instructionSet: String {
    switch tdm_isa_current() {
    case TDM_ISA_AMX_BF16: "amx-bf16"
    case TDM_ISA_AVX512_BF16: "avx512-bf16"
    case TDM_ISA_AVX512: "avx512"
    case TDM_ISA_AVX2: "avx2"
    default: "plain"
    }
  }

  /// Teams of threads are libgomp's, which reads its environment when the program starts: with
  /// `GOMP_SPINCOUNT=2000` there, as tdm-filter sets it for itself, they lose less where other
  /// programs compute beside them.
  /// - Parameters:
  ///   - precision: bf16 where ``supportsBF16`` alone.
  ///   - threads: how many compute; nil for one a processor.
  /// - Throws: ``KernelError`` where oneDNN cannot be used.
  public init(precision: Precision, threads: Int? = nil) throws(KernelError) {
    self.precision = precision
    // oneDNN cuts its work for as many threads as were asked for, and computes a part of it where
    // there are fewer.
    threadCount = min(max(1, threads ?? Self.processorCount), Int(tdm_thread_limit()))
    engine = try OneDNNEngine()
    weights = WeightStore(engine: engine, threads: Int32(threadCount))
    // Products are cut into rows for libgomp's team: OpenBLAS's own threads would fight with it.
    openblas_set_num_threads(1)
  }

  var threads: Int32 { Int32(threadCount) }
  var activationType: ElementType { precision == .bf16 ? .bf16 : .f32 }

  /// Has oneDNN's parallel regions, which ask the calling thread, use this device's number of
  /// threads.
  func enter() { tdm_set_team_size(threads) }

  public func makeTensor(_ shape: Shape, storage: Storage) -> any DeviceTensor {
    let type = storage == .exact ? ElementType.f32 : activationType
    return CPUTensor(shape, storage: storage, type: type, threads: threads)
  }

  public var weightByteCount: Int { weights.byteCount }

  public func discardUnusedWeights() { weights.discardUnused() }

  public func releaseWorkspace() { workspace.release() }

  public func plan(_ graph: Graph) throws(KernelError) -> any Plan {
    enter()
    return try CPUPlan(graph, on: self)
  }

  public func combine(
    into out: any DeviceTensor, _ a: Float, _ x: any DeviceTensor, _ b: Float,
    _ y: any DeviceTensor
  ) {
    precondition(out.storage == .exact && x.storage == .exact && y.storage == .exact)
    precondition(x.shape.count == out.shape.count && y.shape.count == out.shape.count)
    let floats = { (tensor: any DeviceTensor) in
      (tensor as! CPUTensor).pointer.assumingMemoryBound(to: Float.self)
    }
    tdm_combine(floats(out), a, floats(x), b, floats(y), out.shape.count, threads)
  }
}

/// The memory that the activations of a run lie in, shared by all plans of a device since only one
/// runs at a time.
final class Workspace {
  private var memory = AlignedMemory(byteCount: 0)

  var byteCount: Int { memory.byteCount }

  /// Memory of at least `byteCount` bytes, with whatever the last run left in it.
  func reserve(_ byteCount: Int) throws(KernelError) -> UnsafeMutableRawPointer {
    if memory.byteCount < byteCount {
      memory = AlignedMemory(byteCount: 0)  // the old block goes before the new one comes
      do throws(OutOfMemory) {
        memory = try AlignedMemory(checking: byteCount, for: "activations")
      } catch { throw KernelError(error) }
    }
    return memory.pointer
  }

  /// Gives the memory back until it is reserved anew.
  func release() { memory = AlignedMemory(byteCount: 0) }
}
