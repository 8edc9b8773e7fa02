/// What a restorer has done so far.
public struct RestorationStatistics: Sendable, Equatable {
  public internal(set) var framesIn = 0
  public internal(set) var framesOut = 0
  /// Cuts that ended a window.
  public internal(set) var sceneCuts = 0
  /// How long it took, of a frame with its neighbours.
  public internal(set) var fuse = DurationHistogram()
  /// Of a frame to its latent, and of its condition to the ControlNet's first layer.
  public internal(set) var encode = DurationHistogram()
  public internal(set) var invert = DurationHistogram()
  /// Of groups, not of frames.
  public internal(set) var sample = DurationHistogram()
  /// Of a latent to the restored frame.
  public internal(set) var decode = DurationHistogram()

  /// To reduce a frame, and to carry over to it what was changed; of frames that are restored at
  /// another size (``RestorationOptions/workSize``).
  public internal(set) var carry = DurationHistogram()

  /// Nothing done yet.
  public init() {}
}
