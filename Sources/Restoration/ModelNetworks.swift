import Kernels
import ModelFiles
import Networks
import TensorCore

/// A model's networks on a device, planned for pictures of one size.
final class ModelNetworks: PipelineNetworks {
  private let device: any Device
  private let pictureShape: Shape
  private let replacedWeights: Int
  private let encoder: LatentEncoder
  private let decoder: LatentDecoder
  private let denoiser: Denoiser
  /// Nil where the options leave the ControlNet out.
  private let conditionEmbedding: ConditionEmbedding?
  var onEvaluation: (() -> Void)?
  private let tokenizer: CLIPTokenizer
  private let textEncoder: TextEncoder

  /// - Parameter replacedWeights: bytes of other networks' weights that are on the device and do not
  ///   count, because these are to take their place.
  /// - Throws: `ModelError` where the model's parts are missing, broken or do not belong together;
  ///   `KernelError` where the device cannot run them.
  init(
    _ model: ModelFolder, options: RestorationOptions, height: Int, width: Int,
    on device: any Device, replacedWeights: Int = 0
  ) throws {
    self.device = device
    self.replacedWeights = replacedWeights
    pictureShape = [height, width, 3]

    try model.requireFit(withControlNet: options.usesControl)
    let tokenCount = try model.textConfig().maxPositionCount
    tokenizer = try model.tokenizer(length: tokenCount)
    textEncoder = try TextEncoder(CLIPTextModel(model), on: device)
    let autoencoder = try model.autoencoder()
    encoder = try LatentEncoder(autoencoder, height: height, width: width, on: device)
    decoder = try LatentDecoder(autoencoder, height: height, width: width, on: device)

    let unet = try UNet2DConditionModel(model)
    let controlNet = options.usesControl ? try ControlNetModel(model) : nil
    denoiser = try Denoiser(
      unet, controlNet: controlNet, latentShape: encoder.latentShape,
      tokenCount: tokenCount, windowInControlNet: options.readsWindowInControlNet, on: device)
    conditionEmbedding = try controlNet.map {
      try ConditionEmbedding($0, height: height, width: width, on: device)
    }
  }

  var latentShape: Shape { encoder.latentShape }
  var seesFramesAsTheyCame: Bool { conditionEmbedding?.seesFramesAsTheyCame ?? false }

  func makeFusion(height: Int, width: Int) -> any MotionFusion {
    device.makeMotionFusion(height: height, width: width)
  }

  func fusionByteCount(height: Int, width: Int, pictures: Int, others: Int) -> Int {
    device.motionFusionByteCount(height: height, width: width, pictures: pictures, others: others)
  }

  func memory(sideBySide frames: Int) -> NetworkMemory {
    NetworkMemory(
      weights: device.weightByteCount - replacedWeights,
      activations: max(
        denoiser.workspaceByteCount(frames: frames), encoder.workspaceByteCount,
        decoder.workspaceByteCount, conditionEmbedding?.workspaceByteCount ?? 0),
      features: denoiser.featureByteCount(passes: 1, slots: 1),
      latent: latentShape.count * MemoryLayout<Float>.size,
      condition: (conditionEmbedding?.shape.count ?? 0)
        * device.precision.byteCount,
      pictures: (seesFramesAsTheyCame ? 2 : 1) * pictureShape.count * MemoryLayout<Float>.size)
  }

  func discardLeftovers() { device.discardUnusedWeights() }

  func releaseMemory() {
    device.releaseWorkspace()
    encoder.releaseTensors()
    decoder.releaseTensors()
    conditionEmbedding?.releaseTensors()
    denoiser.releaseTensors()
  }

  func makePicture() -> any DeviceTensor { device.makeTensor(pictureShape, storage: .exact) }
  func makeLatent() -> any DeviceTensor { device.makeTensor(latentShape, storage: .exact) }

  func makeCondition() -> any DeviceTensor {
    guard let conditionEmbedding else { preconditionFailure("no ControlNet was asked for") }
    return device.makeTensor(conditionEmbedding.shape, storage: .activation)
  }

  func makeFeatureCache(passes: Int, slots: Int) throws -> any FeatureCache {
    try denoiser.makeFeatureCache(passes: passes, slots: slots)
  }

  func combine(
    into out: any DeviceTensor, _ a: Float, _ x: any DeviceTensor, _ b: Float,
    _ y: any DeviceTensor
  ) {
    device.combine(into: out, a, x, b, y)
  }

  func prepare(prompt: String) throws -> any PromptContext {
    denoiser.prepare(try textEncoder.encode(tokenizer.encode(prompt)))
  }

  func encode(_ picture: any DeviceTensor, into latent: any DeviceTensor) throws {
    try encoder.encode(picture, into: latent)
    onEvaluation?()
  }

  func decode(_ latent: any DeviceTensor, into picture: any DeviceTensor) throws {
    try decoder.decode(latent, into: picture)
    onEvaluation?()
  }

  func embed(
    _ picture: any DeviceTensor, came: (any DeviceTensor)?, into condition: any DeviceTensor
  ) throws {
    try conditionEmbedding?.embed(picture, came: came, into: condition)
    onEvaluation?()
  }

  func predict(
    _ latents: [any DeviceTensor], conditions: [any DeviceTensor], timestep: Int,
    context: any PromptContext, controlScale: Float, window: WindowPass?,
    into outputs: [any DeviceTensor]
  ) throws {
    try denoiser.predict(
      latents, conditions: controlScale == 0 ? nil : conditions, timestep: timestep,
      context: context as! Denoiser.Context, controlScale: controlScale, window: window,
      into: outputs)
    onEvaluation?()
  }
}

extension Denoiser.Context: PromptContext {}
