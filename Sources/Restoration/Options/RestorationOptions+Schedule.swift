/// When frames are computed and when they leave.
extension RestorationOptions {
  /// Frames that are there at a time; of the whole clip, one.
  var heldCount: Int {
    if chunk == 0 { return 1 }
    return Window(self)?.readsAhead == true ? chunk + lookahead : chunk
  }

  /// Evaluations of a group in sampling, each with features of its own.
  var passCount: Int { steps * (isGuided ? 2 : 1) }

  /// Later frames that one is fused with: as many as on the other side, as far as the lookahead
  /// lets a frame wait for them.
  var fusionAhead: Int { chunk == 0 ? fusion : min(fusion, lookahead) }

  /// Frames that have to arrive before the first can leave; nil is the whole clip.
  public var latency: Int? {
    // Whether a segment is the last is known when another frame comes.
    if method == .zeroShot { return zeroShot.segment + 1 }
    return chunk == 0 ? nil : heldCount + fusionAhead
  }
}
