/// Bytes that networks hold, for pictures of one size.
struct NetworkMemory: Sendable, Equatable {
  /// In the layouts that they are computed with.
  var weights: Int
  /// What evaluations work in, those of the autoencoder too: only one runs at a time.
  var activations: Int
  /// What windows read of one frame in one pass.
  var features: Int
  /// One frame's latent.
  var latent: Int
  /// What one frame is steered by: ``FrameGuide``.
  var guide: Int
  /// A frame's picture, or two, as it goes in and comes out.
  var pictures: Int

  /// About the same for pictures of another size: all but the weights grows with the area. How a
  /// convolution is computed depends on the size, too, which this does not know.
  func scaled(by ratio: Double) -> NetworkMemory {
    func scaled(_ bytes: Int) -> Int { Int((Double(bytes) * ratio).rounded(.up)) }
    return NetworkMemory(
      weights: weights, activations: scaled(activations), features: scaled(features),
      latent: scaled(latent), guide: scaled(guide), pictures: scaled(pictures))
  }
}
