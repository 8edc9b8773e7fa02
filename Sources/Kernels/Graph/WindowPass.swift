/// Keys and values that attention layers left for later runs.
///
/// A pass is one move of the sampler with one prompt: features are only ever averaged with those of the same pass.
/// A slot is one frame's place.
public protocol FeatureCache: AnyObject {
  var byteCount: Int { get }
}

/// Sliding-window cross-frame attention in one run: whose keys and values each frame's queries read.
///
/// Reference: arXiv 2501.02269, eq. 7-9: K and V are the arithmetic means over the window.
public struct WindowPass {
  public enum Source: Hashable, Sendable {
    /// The frame at this place of the run.
    case member(Int)
    /// The frame whose features an earlier run left in this slot.
    case cached(slot: Int)
  }

  /// For each frame of the run, the frames of its window, in the order of the clip.
  public var sources: [[Source]]
  /// Features to keep: the frame at a place of the run, and the slot that takes it, once all windows were read.
  public var stores: [(member: Int, slot: Int)]
  public var cache: any FeatureCache
  public var pass: Int

  public init(
    sources: [[Source]], stores: [(member: Int, slot: Int)], cache: any FeatureCache, pass: Int
  ) {
    self.sources = sources
    self.stores = stores
    self.cache = cache
    self.pass = pass
  }
}
