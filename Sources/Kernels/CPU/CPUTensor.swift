import CKernels
import TensorCore

/// A tensor in the processor's memory.
final class CPUTensor: DeviceTensor {
  let shape: Shape
  let storage: Storage
  let type: ElementType
  private let memory: AlignedMemory
  private let threads: Int32

  init(_ shape: Shape, storage: Storage, type: ElementType, threads: Int32) {
    self.shape = shape
    self.storage = storage
    self.type = type
    self.threads = threads
    memory = AlignedMemory(byteCount: shape.count * type.byteCount)
  }

  var pointer: UnsafeMutableRawPointer { memory.pointer }

  func load(_ elements: [Float]) {
    precondition(elements.count == shape.count, "\(elements.count) elements for shape \(shape)")
    elements.withUnsafeBytes {
      tdm_affine(type.kernel, pointer, TDM_F32, $0.baseAddress, 1, 0, elements.count, threads)
    }
  }

  func store(into elements: inout [Float]) {
    precondition(elements.count == shape.count, "\(elements.count) elements for shape \(shape)")
    let count = elements.count
    elements.withUnsafeMutableBytes {
      tdm_affine(TDM_F32, $0.baseAddress, type.kernel, pointer, 1, 0, count, threads)
    }
  }
}

extension ElementType {
  /// As the C kernels name it. Nothing is computed in f16.
  var kernel: tdm_type { self == .bf16 ? TDM_BF16 : TDM_F32 }
}

extension Activation {
  var kernel: tdm_activation {
    switch self {
    case .none: TDM_NONE
    case .relu: TDM_RELU
    case .silu: TDM_SILU
    case .gelu: TDM_GELU
    case .quickGELU: TDM_QUICK_GELU
    case .geluTanh: TDM_GELU_TANH
    }
  }
}
