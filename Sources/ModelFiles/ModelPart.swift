/// A folder within a model's folder, named as diffusers names it.
public enum ModelPart: String, CaseIterable, Sendable {
  case unet
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
    case .unet, .controlnet, .vae: "diffusion_pytorch_model"
    case .textEncoder: "model"
    case .tokenizer, .scheduler: nil
    }
  }

  /// The classes that can be run, as `model_index.json` and `_class_name` call them. The first is the usual one.
  var classNames: [String] {
    switch self {
    case .unet: ["UNet2DConditionModel"]
    case .controlnet: ["ControlNetModel"]
    case .vae: ["AutoencoderKL", "AutoencoderTiny", "AutoencoderHaar"]
    case .textEncoder: ["CLIPTextModel", "CLIPTextModelWithProjection"]
    case .tokenizer: ["CLIPTokenizer", "CLIPTokenizerFast"]
    case .scheduler: SchedulerConfig.classNames
    }
  }
}
