import Diffusion
import Kernels
import ModelFiles
import Networks
import TensorCore

/// What of a model is the same for pictures of every size: read once, however many sizes its
/// networks are then planned for.
struct LoadedModel {
  let schedule: NoiseSchedule
  let autoencoder: any Autoencoder
  let scalingFactor: Float
  let unet: UNet2DConditionModel
  /// Nil where the options leave the ControlNet out.
  let controlNet: ControlNetModel?
  /// Of every prompt.
  let tokenCount: Int
  private let tokenizer: CLIPTokenizer
  private let textEncoder: TextEncoder
  /// What pictures' sides are padded to a multiple of.
  let pictureMultiple: Int

  /// - Throws: `ModelError` where the model's parts are missing, broken or do not belong together;
  ///   ``OptionError`` where an option does not suit its noise schedule; `KernelError` where the
  ///   device cannot run it.
  init(_ model: ModelFolder, options: RestorationOptions, on device: any Device) throws {
    // What is quickly told comes before anything large is read.
    try options.validate()
    try model.require(.stableDiffusion)
    schedule = try NoiseSchedule(model.schedulerConfig())
    try options.validate(for: schedule)
    pictureMultiple = try model.pictureMultiple()
    try model.requireFit(withControlNet: options.usesControl)
    tokenCount = try model.textConfig().promptLength
    tokenizer = try model.tokenizer(length: tokenCount)
    let text = try CLIPTextModel(model)
    // Whether the tokenizer is the model's.
    _ = try text.embed(tokenizer.encode(options.taskPrompt))
    textEncoder = try TextEncoder(text, on: device)
    autoencoder = try model.autoencoder()
    scalingFactor = try model.autoencoderConfig().scalingFactor
    unet = try UNet2DConditionModel(model)
    controlNet = options.usesControl ? try ControlNetModel(model) : nil
  }

  /// A prompt's features, [tokenCount, channels].
  func features(of prompt: String) throws -> Tensor {
    try textEncoder.encode(tokenizer.encode(prompt))
  }
}
