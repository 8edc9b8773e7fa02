import Kernels
import ModelFiles
import TensorCore

/// A convolution through the frames of a video that reads no later frame than the one that it
/// computes.
struct CausalConv3d {
  let weight, bias: WeightTensor

  /// - Parameter scope: of a layer in which diffusers wraps the convolution itself, `conv`.
  init(
    _ scope: WeightScope, _ inChannels: Int, _ outChannels: Int, keepingOutputs kept: Int? = nil
  ) throws(ModelError) {
    let weight = try scope.tensor("conv.weight", [outChannels, inChannels, 3, 3, 3])
    let bias = try scope.tensor("conv.bias", [outChannels])
    self.weight = weight.prefix(kept ?? outChannels)
    self.bias = bias.prefix(kept ?? outChannels)
  }

  /// - Parameters:
  ///   - x: [T, H, W, inChannels]
  ///   - residual: added to the result, shaped as it is.
  /// - Returns: [T, H, W, outChannels]
  func callAsFunction(
    _ x: Value, adding residual: Value? = nil, _ past: CausalPast, in graph: Graph
  ) -> Value {
    graph.convolution(
      past.before(x, count: 2, in: graph), weight: weight, bias: bias, adding: residual)
  }
}

/// What causal convolutions keep of a clip's chunk for the next one, in the order of their
/// computation.
///
/// A clip goes through the autoencoder in chunks. Before its first frame that one is repeated;
/// before those of a later chunk come the last frames of the chunk before it, as every convolution
/// saw them.
final class CausalPast {
  /// A convolution's frames: where they enter, in a chunk that is not the first, and where the next
  /// chunk's leave.
  struct Place {
    let past: Value?
    let kept: Value
  }

  let isFirstChunk: Bool
  private(set) var places: [Place] = []

  init(isFirstChunk: Bool) { self.isFirstChunk = isFirstChunk }

  /// - Returns: `count` frames, and those of `video` behind them.
  func before(_ video: Value, count: Int, in graph: Graph) -> Value {
    var past: Value?
    let first: [Value]
    if isFirstChunk {
      first = Array(repeating: graph.slice(video, 0..<1), count: count)
    } else {
      let frames = graph.input(
        Shape([count] + video.shape.extents.dropFirst()), storage: .activation)
      past = frames
      first = [frames]
    }
    let extended = graph.stacked(first + [video])
    let length = extended.shape[0]
    let kept = graph.slice(extended, length - count..<length)
    graph.output(kept, storage: .activation)
    places.append(Place(past: past, kept: kept))
    return extended
  }
}
