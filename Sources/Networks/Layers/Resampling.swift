import Kernels
import ModelFiles
import TensorCore

/// Halves an image's height and width.
struct Downsample2D {
  let conv: Conv2d

  /// - Parameter padding: 1 around the image; with 0, a row below and a column to the right take
  ///   its place.
  init(_ scope: WeightScope, _ channels: Int, padding: Int) throws(ModelError) {
    conv = try Conv2d(
      scope["conv"], channels, channels, stride: 2,
      padding: padding == 0 ? Padding(top: 0, left: 0, bottom: 1, right: 1) : Padding(padding))
  }

  func callAsFunction(_ x: Value, in graph: Graph) -> Value { conv(x, in: graph) }
}

/// Enlarges an image, then smooths it by a convolution.
struct Upsample2D {
  let conv: Conv2d

  init(_ scope: WeightScope, _ channels: Int) throws(ModelError) {
    conv = try Conv2d(scope["conv"], channels, channels)
  }

  /// - Parameter size: an image of the height and width wanted: an odd size was rounded up on the
  ///   way down. Twice the size of `x` unless given.
  func callAsFunction(_ x: Value, likeSizeOf size: Value? = nil, in graph: Graph) -> Value {
    let height = size?.shape[0] ?? 2 * x.shape[0]
    let width = size?.shape[1] ?? 2 * x.shape[1]
    return conv(graph.upsampling(x, height: height, width: width), in: graph)
  }
}
