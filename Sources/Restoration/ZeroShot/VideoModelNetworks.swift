import Kernels
import ModelFiles
import Networks
import TensorCore

/// A CogVideoX model's networks on a device, for frames of one size and clips of up to so many
/// frames.
final class VideoModelNetworks: VideoDenoising {
  let coders: VideoCoders
  var onEvaluation: (() -> Void)?

  private let transformer: CogVideoXTransformer3DModel
  private let switchedBlocks: Set<Int>
  private let device: any Device
  private let textShape: Shape
  private var texts: [EditPrompt: any DeviceTensor] = [:]
  /// Nil while another takes its place.
  private var denoiser: VideoDenoiser?
  /// For clips of as many frames as there can be.
  let workspaceByteCount, heldByteCount: Int

  /// Plans the autoencoder and the transformer; ``readPrompts(_:negative:)`` does the rest, once it
  /// is known that there is room.
  /// - Parameters:
  ///   - frames: of the longest clip.
  ///   - height: of a frame, as padded; likewise the width.
  /// - Throws: `ModelError` where the model's parts are missing, broken or do not belong together;
  ///   `KernelError` where the device cannot run them.
  init(
    _ model: ModelFolder, switchedBlocks: Set<Int>, frames: Int, height: Int, width: Int,
    on device: any Device
  ) throws {
    self.device = device
    self.switchedBlocks = switchedBlocks
    let coders = VideoCoders(
      try AutoencoderKLCogVideoX(model), height: height, width: width, on: device)
    transformer = try CogVideoXTransformer3DModel(model)
    textShape = [transformer.config.maxTextSequenceLength, transformer.config.textEmbedDim]
    let chunks = try coders.prepare(frames: frames)
    self.coders = coders
    let denoiser = try VideoDenoiser(
      transformer, latentShape: Self.latentShape(coders, frames), switchedBlocks: switchedBlocks,
      on: device)
    self.denoiser = denoiser
    // The prompts' encoder is run before all else and alone; of it the distances of tokens, here
    // and on the device, take most.
    let heads = try model.t5Config().headCount
    let distances = 2 * heads * textShape[0] * textShape[0] * MemoryLayout<Float>.size
    workspaceByteCount = max(
      chunks.workspace, denoiser.workspaceByteCount(sideBySide: 2), distances)
    heldByteCount =
      chunks.kept + denoiser.heldByteCount + 2 * textShape.count * MemoryLayout<Float>.size
  }

  /// Computes the features of the two prompts.
  func readPrompts(_ model: ModelFolder, negative: String) throws {
    let tokenizer = try model.t5Tokenizer(length: textShape[0])
    let features = try T5TextEncoder(T5EncoderModel(model)).encode(
      [tokenizer.encode(negative), tokenizer.encode("")], on: device)
    for (prompt, feature) in zip([EditPrompt.negative, .empty], features) {
      let tensor = device.makeTensor(feature.shape, storage: .exact)
      tensor.load(feature.elements)
      texts[prompt] = tensor
    }
  }

  private static func latentShape(_ coders: VideoCoders, _ frames: Int) -> Shape {
    Shape([coders.latentCount(frames)] + coders.latentFrameShape.extents)
  }

  /// Of a clip of so many frames.
  func latentShape(frames: Int) -> Shape { Self.latentShape(coders, frames) }

  /// The transformer's, of a clip of so many frames and its prompt.
  func tokenCount(frames: Int) -> Int {
    let (shape, patch) = (latentShape(frames: frames), transformer.config.patchSize)
    return shape[0] * (shape[1] / patch) * (shape[2] / patch)
      + transformer.config.maxTextSequenceLength
  }

  /// Plans for latents of a shape, where they are not of the former one: the end of a clip is
  /// shorter than its other parts.
  func prepare(_ latentShape: Shape) throws { _ = try denoiser(for: latentShape) }

  private func denoiser(for latentShape: Shape) throws -> VideoDenoiser {
    if let denoiser, denoiser.latentShape == latentShape { return denoiser }
    denoiser = nil
    let made = try VideoDenoiser(
      transformer, latentShape: latentShape, switchedBlocks: switchedBlocks, on: device)
    denoiser = made
    device.discardUnusedWeights()
    return made
  }

  func predict(
    _ x: any DeviceTensor, _ prompts: [EditPrompt], timestep: Int, into outputs: [any DeviceTensor]
  ) throws {
    try denoiser(for: x.shape).predict(
      x, texts: prompts.map { texts[$0]! }, timestep: timestep, into: outputs)
    onEvaluation?()
  }
}
