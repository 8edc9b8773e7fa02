import TensorCore

/// What a layer that may read a window reads of each frame: this run's tensors, and those that
/// earlier runs left.
struct WindowFeatures {
  /// Of one frame; for attention keys and values.
  let tensors: [Buffer]
  /// The number of the layer among those that read a window; nil where a frame reads only itself.
  let site: Int?

  /// Addresses, tensor by tensor, and in each the frames that are read.
  typealias Pointers = UnsafeMutablePointer<UnsafeRawPointer?>

  /// Gives the addresses of all that a frame reads.
  /// - Parameter body: gets `count` addresses of each tensor, and the window's sources; nil for the
  ///   frame alone.
  func withSources(
    _ execution: Execution, frame: Int,
    _ body: (_ pointers: Pointers, _ count: Int, _ sources: [WindowPass.Source]?) -> Void
  ) {
    let window = site == nil ? nil : execution.window
    let sources = window?.sources[frame]
    let count = sources?.count ?? 1
    // A short array on the stack: a run allocates nothing.
    withUnsafeTemporaryAllocation(
      of: UnsafeRawPointer?.self, capacity: tensors.count * count
    ) { memory in
      let pointers = memory.baseAddress!
      for part in tensors.indices {
        for index in 0..<count {
          pointers[part * count + index] = UnsafeRawPointer(
            pointer(sources?[index] ?? .member(frame), part, execution))
        }
      }
      body(pointers, count, sources)
    }
  }

  private func pointer(
    _ source: WindowPass.Source, _ part: Int, _ execution: Execution
  ) -> UnsafeMutableRawPointer {
    switch source {
    case .member(let member, _): execution.pointer(tensors[part], frame: member)
    case .cached(let slot, _): kept(execution.window!, slot, part)
    }
  }

  private func kept(_ window: WindowPass, _ slot: Int, _ part: Int) -> UnsafeMutableRawPointer {
    (window.cache as! CPUFeatureCache)
      .pointer(pass: window.pass, slot: slot, site: site!, part: part)
  }

  /// Leaves features for later runs, once every frame of this one has read what they may replace.
  func store(_ execution: Execution) {
    guard site != nil, let window = execution.window else { return }
    for (member, slot) in window.stores {
      for (part, tensor) in tensors.enumerated() {
        kept(window, slot, part)
          .copyMemory(
            from: execution.pointer(tensor, frame: member), byteCount: tensor.byteCount)
      }
    }
  }
}
