import Kernels
import ModelFiles
import TensorCore

/// A matrix product for each token. Checkpoints that hold the matrix as a 1x1 convolution are taken
/// as well.
struct Linear {
  let weight: WeightTensor
  let bias: WeightTensor?

  init(
    _ scope: WeightScope, _ inChannels: Int, _ outChannels: Int, hasBias: Bool = true
  ) throws(ModelError) {
    weight = try scope.tensor("weight", [outChannels, inChannels])
    bias = hasBias ? try scope.tensor("bias", [outChannels]) : nil
  }

  /// - Parameters:
  ///   - x: [T, inChannels], an image or a vector.
  ///   - residual: added to the result, shaped as it is.
  /// - Returns: [T, outChannels]
  func callAsFunction(
    _ x: Value, adding residual: Value? = nil, activation: Activation = .none, in graph: Graph
  ) -> Value {
    graph.linear(x, weight: weight, bias: bias, adding: residual, activation: activation)
  }
}
