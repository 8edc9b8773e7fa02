import Kernels
import ModelFiles
import TensorCore

/// Computes a prompt's features on a device.
public final class TextEncoder {
  private let model: CLIPTextModel
  private let plan: any Plan
  private let input, output: any DeviceTensor

  /// - Throws: `KernelError` where the device cannot run the model.
  public init(_ model: CLIPTextModel, on device: any Device) throws {
    self.model = model
    let graph = Graph(name: "text")
    let embeddings = graph.input([model.config.promptLength, model.config.hiddenSize])
    let features = model(embeddings, in: graph)
    graph.output(features)
    plan = try device.plan(graph)
    input = device.makeTensor(embeddings.shape, storage: .exact)
    output = device.makeTensor(features.shape, storage: .exact)
    plan.bind(embeddings, frame: 0, to: input)
    plan.bind(features, frame: 0, to: output)
  }

  /// - Parameter tokenIDs: ``CLIPTextConfig/promptLength`` of them: begin, the prompt, end and
  ///   padding.
  /// - Returns: [promptLength, hiddenSize], the last hidden state.
  /// - Throws: `ModelError` where the tokens are not the model's.
  public func encode(_ tokenIDs: [Int32]) throws -> Tensor {
    guard tokenIDs.count == model.config.promptLength else {
      throw ModelError(
        "text_encoder: \(tokenIDs.count) tokens, expected "
          + "\(model.config.promptLength): the tokenizer belongs to another model")
    }
    input.load(try model.embed(tokenIDs).elements)
    try plan.run(frames: 1, outputs: 1, context: nil, window: nil)
    var elements = [Float](repeating: 0, count: output.shape.count)
    output.store(into: &elements)
    return Tensor(output.shape, elements)
  }
}
