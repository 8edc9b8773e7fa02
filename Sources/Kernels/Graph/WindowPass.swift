/// Keys and values that attention layers left for later runs.
///
/// A pass is one move of the sampler with one prompt: features are only ever averaged with those of the same pass.
/// A slot is one frame's place.
public protocol FeatureCache: AnyObject {
  var byteCount: Int { get }
}

/// The window in one run: whose keys and values each frame's queries read.
///
/// Attention over all tokens reads their arithmetic means (sliding-window cross-frame attention), local attention
/// each of them.
///
/// Reference: arXiv 2501.02269, eq. 7-9.
public struct WindowPass {
  /// A frame that is read. Its distance from the reader, in frames, matters to local attention.
  public enum Source: Hashable, Sendable {
    /// The frame at this place of the run.
    case member(Int, distance: Int = 0)
    /// The frame whose features an earlier run left in this slot.
    case cached(slot: Int, distance: Int = 0)

    var distance: Int {
      switch self {
      case .member(_, let distance), .cached(_, let distance): distance
      }
    }
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
