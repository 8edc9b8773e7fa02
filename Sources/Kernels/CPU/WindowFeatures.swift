import TensorCore

/// The keys and values of a layer that may read a window: this run's, and those that earlier runs left.
struct WindowFeatures {
  let keys, values: Buffer
  /// The number of the layer among those that read a window; nil where a frame reads only itself.
  let site: Int?

  typealias Pointers = UnsafeMutablePointer<UnsafeRawPointer?>

  /// Gives the addresses of all keys and values that a frame reads.
  /// - Parameter body: gets `count` addresses of keys, as many of values, and the window's sources; nil for the frame alone.
  func withSources(
    _ execution: Execution, frame: Int,
    _ body: (_ keys: Pointers, _ values: Pointers, _ count: Int, _ sources: [WindowPass.Source]?) ->
      Void
  ) {
    let window = site == nil ? nil : execution.window
    let sources = window?.sources[frame]
    let count = sources?.count ?? 1
    // Short arrays on the stack: a run allocates nothing.
    withUnsafeTemporaryAllocation(of: UnsafeRawPointer?.self, capacity: 2 * count) { pointers in
      let k = pointers.baseAddress!
      let v = k + count
      func put(_ index: Int, member: Int) {
        k[index] = UnsafeRawPointer(execution.pointer(keys, frame: member))
        v[index] = UnsafeRawPointer(execution.pointer(values, frame: member))
      }
      if let window, let sources, let site {
        let cache = window.cache as! CPUFeatureCache
        for (index, source) in sources.enumerated() {
          switch source {
          case .member(let member, _): put(index, member: member)
          case .cached(let slot, _):
            k[index] = UnsafeRawPointer(cache.keys(pass: window.pass, slot: slot, site: site))
            v[index] = UnsafeRawPointer(cache.values(pass: window.pass, slot: slot, site: site))
          }
        }
      } else {
        put(0, member: frame)
      }
      body(k, v, count, sources)
    }
  }

  /// Leaves features for later runs, once every frame of this one has read what they may replace.
  func store(_ execution: Execution) {
    guard let site, let window = execution.window else { return }
    let cache = window.cache as! CPUFeatureCache
    for (member, slot) in window.stores {
      cache.keys(pass: window.pass, slot: slot, site: site)
        .copyMemory(from: execution.pointer(keys, frame: member), byteCount: keys.byteCount)
      cache.values(pass: window.pass, slot: slot, site: site)
        .copyMemory(from: execution.pointer(values, frame: member), byteCount: values.byteCount)
    }
  }
}
