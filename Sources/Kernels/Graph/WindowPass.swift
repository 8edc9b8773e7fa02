/// What layers that read windows left for later runs: keys and values of attention, latents.
///
/// A pass is one move of the sampler with one prompt: features are only ever read by the same pass.
/// A slot is one frame's place.
public protocol FeatureCache: AnyObject {}

/// The window in one run: whose features each frame reads.
///
/// Attention reads the arithmetic means of their keys and values (sliding-window cross-frame
/// attention); a ``Graph/windowStack(_:radius:)`` reads each of them.
///
/// Reference: arXiv 2501.02269, eq. 7-9.
public struct WindowPass {
  /// A frame that is read, and how many frames behind the reader it comes in the clip; before it:
  /// below 0.
  public enum Source: Hashable, Sendable {
    /// The frame at this place of the run.
    case member(Int, offset: Int = 0)
    /// The frame whose features an earlier run left in this slot.
    case cached(slot: Int, offset: Int = 0)

    var offset: Int {
      switch self {
      case .member(_, let offset), .cached(_, let offset): offset
      }
    }
  }

  /// For each frame of the run, the frames of its window, in the order of the clip.
  public var sources: [[Source]]
  /// Features to keep: the frame at a place of the run, and the slot that takes it, once all
  /// windows were read.
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
