import Kernels
import ModelFiles
import TensorCore

/// Predicts v of whole clips by ``CogVideoXTransformer3DModel``, for latents of one shape.
public final class VideoDenoiser {
  /// [frames, height, width, channels]
  public let latentShape: Shape
  private let plan: any Plan
  private let latent, text, positions, timestep, output: Value
  private let model: CogVideoXTransformer3DModel
  private let device: any Device
  /// Made when it is first needed: what is only planned takes no memory for it.
  private lazy var positionTensor = makePositions()

  /// - Parameters:
  ///   - latentShape: [frames, height, width, channels], both sides multiples of the patches' size.
  ///   - switchedBlocks: numbers of the blocks with attention switching.
  /// - Throws: `KernelError` where the device cannot run the model.
  public init(
    _ model: CogVideoXTransformer3DModel, latentShape: Shape, switchedBlocks: Set<Int>,
    on device: any Device
  ) throws {
    self.latentShape = latentShape
    self.model = model
    self.device = device
    let config = model.config
    let graph = Graph(name: "transformer")
    latent = graph.input(latentShape)
    text = graph.input([config.maxTextSequenceLength, config.textEmbedDim])
    let patch = config.patchSize
    positions = graph.input(
      [latentShape[0] * (latentShape[1] / patch) * (latentShape[2] / patch), config.channels],
      storage: .activation)
    timestep = graph.stepScalar()
    output = model(
      latent, text: text, positions: positions, timestep: timestep, switchedBlocks: switchedBlocks,
      in: graph)
    graph.output(output)
    plan = try device.plan(graph)
  }

  private func makePositions() -> any DeviceTensor {
    let patch = model.config.patchSize
    let places = model.positions(
      frames: latentShape[0], height: latentShape[1] / patch, width: latentShape[2] / patch)
    let tensor = device.makeTensor(places.shape, storage: .activation)
    tensor.load(places.elements)
    return tensor
  }

  /// Bytes that so many predictions side by side work in; networks of a device share them.
  public func workspaceByteCount(sideBySide count: Int) -> Int {
    plan.workspaceByteCount(frames: count)
  }

  /// Bytes that it holds beside the weights, where its positions are being worked out.
  public var heldByteCount: Int {
    positions.shape.count * (device.precision.byteCount + MemoryLayout<Float>.size)
  }

  /// Predicts for one latent under several prompts. Video queries of switched blocks read the text
  /// of the last one.
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
