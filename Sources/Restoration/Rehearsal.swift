/// How long each stage takes on this machine, measured on blank frames.
public struct Rehearsal: Sendable, Equatable {
  /// A frame with its neighbours, before the networks; zero where it is left alone.
  public var fuse: Duration
  /// A frame to its latent and its condition.
  public var encode: Duration
  /// A frame up to the noisiest level.
  public var invert: Duration
  /// A whole group down, all its passes.
  public var sample: Duration
  /// A latent to its frame.
  public var decode: Duration
  /// A frame to the size at which it is restored, and back; zero where that is its own.
  public var carry = Duration.zero
  /// How much longer a frame takes whose veil is found to be even; zero where none is looked for.
  public var evenVeil = Duration.zero
  /// Frames in a group, and how many of them are emitted.
  public var groupSize, emitted: Int

  /// What a frame of a long stream takes, without an even veil.
  public var perFrame: Duration { fuse + encode + invert + sample / emitted + decode + carry }
}
