import CKernels
import TensorCore

/// A frame's rows, the first of them the run's last frame's.
final class BorrowingStep: Step {
  let label = "borrowing"
  let reads, writes: [Buffer]

  private let source, target: Buffer
  private let borrowedByteCount: Int

  /// - Parameter share: of the rows, how many are borrowed of how many.
  init(_ source: Buffer, to target: Buffer, share: (rows: Int, of: Int)) {
    self.source = source
    self.target = target
    borrowedByteCount = source.byteCount / share.of * share.rows
    reads = [source]
    writes = [target]
  }

  func run(_ execution: Execution, frame: Int) {
    let output = execution.pointer(target, frame: frame)
    output.copyMemory(
      from: execution.pointer(source, frame: execution.frames - 1), byteCount: borrowedByteCount)
    (output + borrowedByteCount).copyMemory(
      from: execution.pointer(source, frame: frame) + borrowedByteCount,
      byteCount: source.byteCount - borrowedByteCount)
  }
}
