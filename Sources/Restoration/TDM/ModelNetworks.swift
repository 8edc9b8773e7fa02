import Kernels
import ModelFiles
import Networks
import TensorCore

/// A model's networks on a device, planned for pictures of one size.
final class ModelNetworks: PipelineNetworks {
  private let device: any Device
  private let pictureShape: Shape
  private var replacedWeights: Int
  private let model: LoadedModel
  private let encoder: LatentEncoder
  private let decoder: LatentDecoder
  private let denoiser: Denoiser
  /// Nil where the options leave the ControlNet out.
  private let conditionEmbedding: ConditionEmbedding?
  var onEvaluation: (() -> Void)?

  /// - Parameter replacedWeights: bytes of other networks' weights that are on the device and do
  ///   not count, because these are to take their place.
  /// - Throws: `KernelError` where the device cannot run them.
  init(
    _ model: LoadedModel, options: RestorationOptions, height: Int, width: Int,
    on device: any Device, replacedWeights: Int = 0
  ) throws {
    self.device = device
    self.model = model
    self.replacedWeights = replacedWeights
    pictureShape = [height, width, 3]
    encoder = try LatentEncoder(model.autoencoder, height: height, width: width, on: device)
    decoder = try LatentDecoder(model.autoencoder, height: height, width: width, on: device)
    denoiser = try Denoiser(
      model.unet, controlNet: model.controlNet, latentShape: encoder.latentShape,
      tokenCount: model.tokenCount, windowInControlNet: options.readsWindowInControlNet,
      on: device)
    conditionEmbedding = try model.controlNet.map {
      try ConditionEmbedding($0, height: height, width: width, on: device)
    }
  }

  var latentShape: Shape { encoder.latentShape }
  var seesSecondPicture: Bool {
    denoiser.readsSecondPicture || conditionEmbedding?.seesSecondPicture ?? false
  }

  func makeFusion(height: Int, width: Int) -> any MotionFusion {
    device.makeMotionFusion(height: height, width: width)
  }

  func fusionByteCount(
    height: Int, width: Int, pictures: Int, others: Int, histories: Int
  ) -> Int {
    device.motionFusionByteCount(
      height: height, width: width, pictures: pictures, others: others, histories: histories)
  }

  func memory(sideBySide frames: Int) -> NetworkMemory {
    let latentBytes = latentShape.count * MemoryLayout<Float>.size
    return NetworkMemory(
      weights: device.weightByteCount - replacedWeights,
      activations: max(
        denoiser.workspaceByteCount(frames: frames), encoder.workspaceByteCount,
        decoder.workspaceByteCount, conditionEmbedding?.workspaceByteCount ?? 0),
      features: denoiser.featureByteCount(passes: 1, slots: 1),
      latent: latentBytes,
      guide: (conditionEmbedding?.shape.count ?? 0) * device.precision.byteCount
        + (denoiser.readsSecondPicture ? latentBytes : 0),
      pictures: (seesSecondPicture ? 2 : 1) * pictureShape.count * MemoryLayout<Float>.size)
  }

  func discardLeftovers() { device.discardUnusedWeights() }

  func forgetReplaced() { replacedWeights = 0 }

  func releaseMemory() {
    device.releaseWorkspace()
    encoder.releaseTensors()
    decoder.releaseTensors()
    conditionEmbedding?.releaseTensors()
    denoiser.releaseTensors()
  }

  func makePicture() -> any DeviceTensor { device.makeTensor(pictureShape, storage: .exact) }
  func makeLatent() -> any DeviceTensor { device.makeTensor(latentShape, storage: .exact) }

  func makeGuide() -> FrameGuide {
    FrameGuide(
      condition: conditionEmbedding.map { device.makeTensor($0.shape, storage: .activation) },
      second: denoiser.readsSecondPicture ? makeLatent() : nil)
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
    denoiser.prepare(try model.features(of: prompt))
  }

  func encode(_ picture: any DeviceTensor, into latent: any DeviceTensor) throws {
    try encoder.encode(picture, into: latent)
    onEvaluation?()
  }

  func decode(_ latent: any DeviceTensor, into picture: any DeviceTensor) throws {
    try decoder.decode(latent, into: picture)
    onEvaluation?()
  }

  func guide(
    by picture: any DeviceTensor, latent: any DeviceTensor, second: (any DeviceTensor)?,
    into guide: FrameGuide
  ) throws {
    if let conditionEmbedding, let condition = guide.condition {
      let seen = conditionEmbedding.seesSecondPicture ? second ?? picture : nil
      try conditionEmbedding.embed(picture, second: seen, into: condition)
      onEvaluation?()
    }
    if let latentOfSecond = guide.second {
      if let second { try encode(second, into: latentOfSecond) }
      let own = second == nil ? latent : latentOfSecond
      // Without the factor, as InstructPix2Pix has it.
      device.combine(into: latentOfSecond, 1 / model.scalingFactor, own, 0, own)
    }
  }

  func predict(
    _ latents: [any DeviceTensor], guides: [FrameGuide], timestep: Int,
    context: any PromptContext, controlScale: Float, window: WindowPass?,
    into outputs: [any DeviceTensor]
  ) throws {
    try denoiser.predict(
      latents, second: guides.compactMap(\.second),
      conditions: controlScale == 0 ? nil : guides.compactMap(\.condition), timestep: timestep,
      context: context as! Denoiser.Context, controlScale: controlScale, window: window,
      into: outputs)
    onEvaluation?()
  }
}

extension Denoiser.Context: PromptContext {}
