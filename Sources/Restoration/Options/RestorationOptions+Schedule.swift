/// When frames are computed and when they leave.
extension RestorationOptions {
  /// Frames that are there at a time; of the whole clip, one.
  var heldCount: Int {
    if chunk == 0 { return 1 }
    return Window(self)?.readsAhead == true ? chunk + lookahead : chunk
  }

  /// Evaluations of a group in sampling, each with features of its own.
  var passCount: Int { steps * (isGuided ? 2 : 1) }

  /// How far from a frame those are that it is fused with on either side, nearest first.
  var fusionDistances: [Int] { task.fusionDistances(fusion) }

  /// The farthest earlier frame that one is fused with.
  var fusionBehind: Int { fusionDistances.last ?? 0 }

  /// The farthest later frame that one is fused with: as far away as on the other side, where the
  /// lookahead lets it wait for that.
  var fusionAhead: Int {
    chunk == 0 ? fusionBehind : fusionDistances.last { $0 <= lookahead } ?? 0
  }

  /// Frames that have to arrive before the first can leave; nil is the whole clip.
  public var latency: Int? {
    // Whether a segment is the last is known when another frame comes.
    if method == .zeroShot { return zeroShot.segment + 1 }
    return chunk == 0 ? nil : heldCount + fusionAhead
  }
}
