import Kernels
import ModelFiles
import TensorCore

/// Predicts v of whole clips by ``CogVideoXTransformer3DModel``, for latents of one shape.
public final class VideoDenoiser {
  /// [frames, height, width, channels]
  public let latentShape: Shape
  private let plan: any Plan
  private let latent, text, positions, timestep, output: Value
  private let positionTensor: any DeviceTensor

  /// - Parameters:
  ///   - latentShape: [frames, height, width, channels], both sides multiples of the patches' size.
  ///   - switchedBlocks: numbers of the blocks with attention switching.
  /// - Throws: `KernelError` where the device cannot run the model.
  public init(
    _ model: CogVideoXTransformer3DModel, latentShape: Shape, switchedBlocks: Set<Int>,
    on device: any Device
  ) throws {
    self.latentShape = latentShape
    let config = model.config
    let graph = Graph(name: "transformer")
    latent = graph.input(latentShape)
    text = graph.input([config.maxTextSequenceLength, config.textEmbedDim])
    let places = model.positions(
      frames: latentShape[0], height: latentShape[1] / config.patchSize,
      width: latentShape[2] / config.patchSize)
    positions = graph.input(places.shape, storage: .activation)
    timestep = graph.stepScalar()
    output = model(
      latent, text: text, positions: positions, timestep: timestep, switchedBlocks: switchedBlocks,
      in: graph)
    graph.output(output)
    plan = try device.plan(graph)
    positionTensor = device.makeTensor(places.shape, storage: .activation)
    positionTensor.load(places.elements)
  }

  /// Bytes that so many predictions side by side work in; networks of a device share them.
  public func workspaceByteCount(sideBySide count: Int) -> Int {
    plan.workspaceByteCount(frames: count)
  }

  /// Bytes that it holds beside the weights.
  public var heldByteCount: Int { positionTensor.shape.count * MemoryLayout<Float>.size }

  /// Predicts for one latent under several prompts. Video queries of switched blocks read the text of the last one.
  /// - Parameters:
  ///   - x: ``latentShape``, exact.
  ///   - texts: a prompt's features each, [tokens, textEmbedDim], exact.
  ///   - outputs: as many, shaped as the latent; not its own memory.
  public func predict(
    _ x: any DeviceTensor, texts: [any DeviceTensor], timestep: Int,
    into outputs: [any DeviceTensor]
  ) throws {
    precondition(texts.count == outputs.count)
    for frame in texts.indices {
      plan.bind(latent, frame: frame, to: x)
      plan.bind(text, frame: frame, to: texts[frame])
      plan.bind(positions, frame: frame, to: positionTensor)
      plan.bind(output, frame: frame, to: outputs[frame])
    }
    plan.set(self.timestep, to: Float(timestep))
    try plan.run(frames: texts.count, outputs: outputs.count, context: nil, window: nil)
  }
}
