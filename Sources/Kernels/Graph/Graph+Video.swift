import TensorCore

/// What networks over whole videos need beside convolutions: a video is [frames, height, width,
/// channels].
///
/// Enlarged in time, an odd number of frames above 1 keeps its first: that one was not halved with
/// another on its way down.
extension Graph {
  /// Nearest-neighbour enlargement of a video.
  public func upsampling(_ video: Value, frames: Int, height: Int, width: Int) -> Value {
    precondition(video.shape.rank == 4)
    return append(
      .upsampling, [video], shape: [frames, height, width, video.shape.channels])
  }

  /// The means of frames in pairs; of an odd number the first stays as it is.
  /// - Returns: [(T + 1) / 2, H, W, C]
  public func pairMeans(_ video: Value) -> Value {
    let shape = video.shape
    precondition(shape.rank == 4)
    return append(
      .video(.pairMeans), [video], shape: [(shape[0] + 1) / 2, shape[1], shape[2], shape[3]])
  }

  /// activation(x · factors + addends), these enlarged to the video's size.
  /// - Parameters:
  ///   - video: [T, H, W, C]
  ///   - factors: [t, h, w, C]
  ///   - addends: likewise.
  public func modulation(
    _ video: Value, factors: Value, addends: Value, activation: Activation = .none
  ) -> Value {
    precondition(video.shape.rank == 4 && factors.shape.rank == 4)
    precondition(factors.shape == addends.shape && factors.shape[3] == video.shape[3])
    return append(
      .video(.modulation(activation)), [video, factors, addends], shape: video.shape)
  }

  /// Pixels out of the patches that stand for them.
  /// - Parameter patches: [T, h, w, C · size²], a channel's pixels one behind the other.
  /// - Returns: [T, h · size, w · size, C]
  public func unpatchifying(_ patches: Value, size: Int) -> Value {
    let shape = patches.shape
    precondition(shape.rank == 4 && shape[3] % (size * size) == 0)
    return append(
      .video(.unpatchifying(size: size)), [patches],
      shape: [shape[0], shape[1] * size, shape[2] * size, shape[3] / (size * size)])
  }
}
