import Kernels

/// What every block of a UNet or ControlNet is told beside its image.
struct Conditioning {
  /// silu(time embedding), [4 · blockOutChannels[0]].
  let time: Value
  /// Text features, [tokenCount, crossAttentionDimension].
  let context: Value
  /// Whether attention among pixels reads a window of frames.
  let readsWindow: Bool
}
