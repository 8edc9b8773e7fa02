import CKernels
import TensorCore

/// An operation without weights: a call of one kernel with the addresses of its operands.
final class ElementwiseStep: Step {
  typealias Kernel = (
    _ execution: Execution, _ sources: (Int) -> UnsafeMutableRawPointer,
    _ target: UnsafeMutableRawPointer
  ) -> Void

  let label: String
  let reads, writes: [Buffer]
  private let target: Buffer
  private let kernel: Kernel

  init(_ label: String, _ sources: [Buffer], to target: Buffer, _ kernel: @escaping Kernel) {
    self.label = label
    self.target = target
    self.kernel = kernel
    reads = sources
    writes = [target]
  }

  func run(_ execution: Execution, frame: Int) {
    kernel(
      execution, { execution.pointer(self.reads[$0], frame: frame) },
      execution.pointer(target, frame: frame))
  }
}
