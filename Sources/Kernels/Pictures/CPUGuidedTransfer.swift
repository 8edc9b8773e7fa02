import CKernels
import TensorCore

final class CPUGuidedTransfer: GuidedTransfer {
  private let size, reduced: (height: Int, width: Int)
  private let threads: Int32
  /// What is kept from picture to picture, too.
  private let scratch: AlignedMemory
  private var goesOn = false

  init(size: (height: Int, width: Int), reduced: (height: Int, width: Int), threads: Int32) {
    precondition(reduced.height <= size.height && reduced.width <= size.width)
    self.size = size
    self.reduced = reduced
    self.threads = threads
    scratch = AlignedMemory(
      byteCount: Self.byteCount(size: size, reduced: reduced, threads: threads))
  }

  static func byteCount(
    size: (height: Int, width: Int), reduced: (height: Int, width: Int), threads: Int32
  ) -> Int {
    tdm_guided_transfer_scratch_count(size.width, reduced.width, reduced.height, threads)
      * MemoryLayout<Float>.size
  }

  var reducedCount: Int { reduced.height * reduced.width * 3 }
  private var count: Int { size.height * size.width * 3 }

  func reduce(_ picture: [Float], into reduced: inout [Float]) {
    precondition(picture.count == count && reduced.count == reducedCount)
    tdm_area_reduction(
      &reduced, self.reduced.width, self.reduced.height, picture, size.width, size.height, floats,
      threads)
  }

  func carryOver(from guide: [Float], to target: [Float], into picture: inout [Float]) {
    precondition(
      picture.count == count && guide.count == reducedCount && target.count == reducedCount)
    tdm_guided_transfer(
      &picture, size.width, size.height, guide, target, reduced.width, reduced.height,
      goesOn ? 1 : 0, floats, threads)
    goesOn = true
  }

  func forget() { goesOn = false }

  private var floats: UnsafeMutablePointer<Float> {
    scratch.pointer.assumingMemoryBound(to: Float.self)
  }
}

extension CPUDevice {
  public func makeGuidedTransfer(
    size: (height: Int, width: Int), reduced: (height: Int, width: Int)
  ) -> any GuidedTransfer {
    CPUGuidedTransfer(size: size, reduced: reduced, threads: threads)
  }

  public func guidedTransferByteCount(
    size: (height: Int, width: Int), reduced: (height: Int, width: Int)
  ) -> Int {
    CPUGuidedTransfer.byteCount(size: size, reduced: reduced, threads: threads)
  }
}
