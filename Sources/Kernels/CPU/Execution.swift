import TensorCore

/// A place for a value while a plan runs.
struct Buffer: Hashable {
  enum Place: Hashable {
    /// In the memory that frames' activations share, one stretch for each frame.
    case frame
    /// In memory of the plan's own, valid for a run.
    case step
    /// In a ``PreparedContext``.
    case context
    /// A bound tensor, one for each frame.
    case bound
  }

  let index: Int
  let place: Place
  let type: ElementType
  let byteCount: Int
}

/// Where a run's buffers lie.
struct Execution {
  /// Side by side.
  let frames: Int
  let frameBase: UnsafeMutableRawPointer
  let frameStride: Int
  let stepBase: UnsafeMutableRawPointer
  let contextBase: UnsafeMutableRawPointer?
  let scratch: UnsafeMutableRawPointer
  /// By buffer: offset into its place, or the row of `bound`.
  let offsets: [Int]
  /// Bound tensors' addresses, by row and frame.
  let bound: [[UnsafeMutableRawPointer?]]
  let scalars: [Float]
  let parameters: [Float]
  let window: WindowPass?
  let threads: Int32

  func pointer(_ buffer: Buffer, frame: Int) -> UnsafeMutableRawPointer {
    switch buffer.place {
    case .frame: frameBase + frame * frameStride + offsets[buffer.index]
    case .step: stepBase + offsets[buffer.index]
    case .context:
      if let contextBase {
        contextBase + offsets[buffer.index]
      } else {
        preconditionFailure("a run without the context that the graph reads")
      }
    case .bound:
      if let pointer = bound[offsets[buffer.index]][frame] {
        pointer
      } else {
        preconditionFailure("an input or output without a tensor bound for frame \(frame)")
      }
    }
  }
}
