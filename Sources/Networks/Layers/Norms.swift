import Kernels
import ModelFiles
import TensorCore

/// Normalization over the channels of a group and all pixels.
struct GroupNorm {
  let weight, bias: WeightTensor
  let groupCount: Int
  let epsilon: Float

  init(
    _ scope: WeightScope, _ channels: Int, groupCount: Int, epsilon: Float
  ) throws(ModelError) {
    // Skips widen a resnet's input, so the sum may not divide where the parts do.
    guard channels % groupCount == 0 else {
      throw ModelError(
        "\(scope.path): \(channels) channels do not divide into norm_num_groups \(groupCount)")
    }
    weight = try scope.tensor("weight", [channels])
    bias = try scope.tensor("bias", [channels])
    self.groupCount = groupCount
    self.epsilon = epsilon
  }

  func callAsFunction(_ x: Value, activation: Activation = .none, in graph: Graph) -> Value {
    graph.groupNorm(
      x, groupCount: groupCount, epsilon: epsilon, weight: weight, bias: bias,
      activation: activation)
  }
}

/// Normalization over each token's channels.
struct LayerNorm {
  let weight, bias: WeightTensor
  let epsilon: Float

  init(_ scope: WeightScope, _ channels: Int, epsilon: Float = 1e-5) throws(ModelError) {
    weight = try scope.tensor("weight", [channels])
    bias = try scope.tensor("bias", [channels])
    self.epsilon = epsilon
  }

  func callAsFunction(_ x: Value, in graph: Graph) -> Value {
    graph.layerNorm(x, epsilon: epsilon, weight: weight, bias: bias)
  }
}
