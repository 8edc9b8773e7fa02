import Kernels
import ModelFiles
import TensorCore

/// Computes prompts' features by T5 on a device: layer by layer, each gone before the next one's
/// weights are read, for it is larger than the model that it serves, and is asked only once.
public struct T5TextEncoder {
  private let model: T5EncoderModel

  public init(_ model: T5EncoderModel) { self.model = model }

  /// - Parameter prompts: tokens of each, as many in all of them.
  /// - Returns: for each [tokens, modelDimension].
  /// - Throws: `ModelError` where the tokens are not the model's, `KernelError` where the device
  ///   cannot run it.
  public func encode(_ prompts: [[Int32]], on device: any Device) throws -> [Tensor] {
    let tokens = prompts[0].count
    let bias = try model.positionBias(tokens: tokens)
    let biasTensor = device.makeTensor(bias.shape, storage: .exact)
    biasTensor.load(bias.elements)
    let features = try prompts.map { ids in
      let embedded = try model.embed(ids)
      let tensor = device.makeTensor(embedded.shape, storage: .exact)
      tensor.load(embedded.elements)
      return tensor
    }
    for (index, layer) in model.layers.enumerated() {
      let graph = Graph(name: "text")
      let x = graph.input(features[0].shape)
      let biasInput = graph.input(bias.shape)
      var y = layer(x, bias: biasInput, in: graph)
      if index == model.layers.count - 1 {
        y = graph.rmsNorm(y, epsilon: model.config.layerNormEpsilon, weight: model.finalNorm)
      }
      graph.output(y)
      do {
        let plan = try device.plan(graph)
        let outputs = features.map { device.makeTensor($0.shape, storage: .exact) }
        for frame in features.indices {
          plan.bind(x, frame: frame, to: features[frame])
          plan.bind(biasInput, frame: frame, to: biasTensor)
          plan.bind(y, frame: frame, to: outputs[frame])
        }
        try plan.run(
          frames: features.count, outputs: features.count, context: nil, window: nil)
        for (feature, output) in zip(features, outputs) {
          device.combine(into: feature, 1, output, 0, output)
        }
      }
      device.discardUnusedWeights()
    }
    return features.map { feature in
      var elements = [Float](repeating: 0, count: feature.shape.count)
      feature.store(into: &elements)
      return Tensor(feature.shape, elements)
    }
  }
}
