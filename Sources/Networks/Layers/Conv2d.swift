import Kernels
import ModelFiles
import TensorCore

/// A convolution with a square kernel.
struct Conv2d {
  let weight: WeightTensor
  let bias: WeightTensor?
  let stride: Int
  let padding: Padding

  /// - Parameter padding: so that a stride of 1 keeps the size, unless given.
  init(
    _ scope: WeightScope, _ inChannels: Int, _ outChannels: Int, kernel: Int = 3, stride: Int = 1,
    padding: Padding? = nil, hasBias: Bool = true
  ) throws(ModelError) {
    weight = try scope.tensor("weight", [outChannels, inChannels, kernel, kernel])
    bias = hasBias ? try scope.tensor("bias", [outChannels]) : nil
    self.stride = stride
    self.padding = padding ?? Padding(kernel / 2)
  }

  private init(_ layer: Conv2d, weight: WeightTensor, bias: WeightTensor?) {
    self.weight = weight
    self.bias = bias
    stride = layer.stride
    padding = layer.padding
  }

  /// The same layer with its first `count` output channels only.
  func keepingOutputs(_ count: Int) -> Conv2d {
    Conv2d(self, weight: weight.prefix(count), bias: bias?.prefix(count))
  }

  /// The same layer for an image whose channels come in reverse order.
  func reversingInputs() throws(ModelError) -> Conv2d {
    Conv2d(self, weight: try weight.reversingSecondAxis(), bias: bias)
  }

  /// - Parameters:
  ///   - x: [H, W, inChannels]
  ///   - stepBias: [outChannels], added to every pixel.
  ///   - residual: added to the result, shaped as it is.
  /// - Returns: [H', W', outChannels]
  func callAsFunction(
    _ x: Value, stepBias: Value? = nil, adding residual: Value? = nil,
    activation: Activation = .none, in graph: Graph
  ) -> Value {
    graph.convolution(
      x, weight: weight, bias: bias, stride: stride, padding: padding, stepBias: stepBias,
      adding: residual, activation: activation)
  }
}
