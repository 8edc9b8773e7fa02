/// An operation by one of this package's own kernels: a call with the addresses of its operands.
final class KernelStep: Step {
  typealias Kernel = (
    _ execution: Execution, _ sources: (Int) -> UnsafeMutableRawPointer,
    _ target: UnsafeMutableRawPointer
  ) -> Void

  let label: String
  let reads, writes: [Buffer]
  let scratchByteCount: Int
  private let target: Buffer
  private let kernel: Kernel

  init(
    _ label: String, _ sources: [Buffer], to target: Buffer, scratchByteCount: Int = 0,
    _ kernel: @escaping Kernel
  ) {
    self.label = label
    self.target = target
    self.scratchByteCount = scratchByteCount
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
