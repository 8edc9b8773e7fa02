/// What a model is a model of, and so which parts it has.
public enum ModelFamily: Sendable {
  /// Pictures, one at a time: Stable Diffusion 1.x.
  case stableDiffusion
  /// Whole clips: CogVideoX.
  case cogVideoX

  /// The part that computes, which only models of the family have.
  var core: ModelPart { self == .cogVideoX ? .transformer : .unet }
}

/// A folder within a model's folder, named as diffusers names it.
public enum ModelPart: String, CaseIterable, Sendable {
  case unet
  case transformer
  case controlnet
  case vae
  case textEncoder = "text_encoder"
  case tokenizer
  case scheduler

  /// The file that describes the part.
  var configFile: String {
    switch self {
    case .tokenizer: "tokenizer_config.json"
    case .scheduler: "scheduler_config.json"
    default: "config.json"
    }
  }

  /// The stem of the file that holds the weights; nil for parts without.
  var weightsStem: String? {
    switch self {
    case .unet, .transformer, .controlnet, .vae: "diffusion_pytorch_model"
    case .textEncoder: "model"
    case .tokenizer, .scheduler: nil
    }
  }

  /// The classes that can be run, as `model_index.json` and `_class_name` call them. The first is
  /// the usual one.
  func classNames(of family: ModelFamily) -> [String] {
    switch (self, family) {
    case (.unet, _): ["UNet2DConditionModel"]
    case (.transformer, _): ["CogVideoXTransformer3DModel"]
    case (.controlnet, _): ["ControlNetModel"]
    case (.vae, .stableDiffusion): ["AutoencoderKL", "AutoencoderTiny", "AutoencoderHaar"]
    case (.vae, .cogVideoX): ["AutoencoderKLCogVideoX"]
    case (.textEncoder, .stableDiffusion): ["CLIPTextModel", "CLIPTextModelWithProjection"]
    case (.textEncoder, .cogVideoX): ["T5EncoderModel"]
    case (.tokenizer, .stableDiffusion): ["CLIPTokenizer", "CLIPTokenizerFast"]
    case (.tokenizer, .cogVideoX): ["T5Tokenizer", "T5TokenizerFast"]
    case (.scheduler, .stableDiffusion): SchedulerConfig.classNames
    case (.scheduler, .cogVideoX): CogVideoXSchedulerConfig.classNames
    }
  }
}
