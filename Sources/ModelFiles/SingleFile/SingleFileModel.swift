import Glibc
import StrictJSON
import TensorCore

/// A Stable Diffusion 1.x checkpoint of a single file, or a ControlNet's, as the folder that
/// diffusers would write of it: the configurations follow from its tensors' shapes, and the
/// tokenizer is the one that all such models share.
struct SingleFileModel: FileTree {
  /// What a file is given for.
  enum Role {
    case model, controlNet

    var parts: [ModelPart] {
      switch self {
      case .model: [.unet, .vae, .textEncoder]
      case .controlNet: [.controlnet]
      }
    }
  }

  let name: String
  private let weights: SafetensorsFile
  /// The parts' tensors: diffusers' names by the file's own.
  private let parts: [ModelPart: [String: String]]
  private let extents: [String: [Int]]

  /// Whether the file is one by its name, or starts as a safetensors file does.
  static func isCheckpoint(_ file: ReadFile) throws(ModelError) -> Bool {
    if file.path.hasSuffix(".safetensors") { return true }
    let start = min(9, file.byteCount)
    return try StoredFile(file).withBytes(0..<start) { $0.count == 9 && $0[8] == UInt8(ascii: "{") }
  }

  /// - Throws: `ModelError` where the file is damaged, lacks what the role needs, or is known to
  ///   need what no tensor tells.
  init(_ file: StoredFile, as role: Role) throws(ModelError) {
    name = file.name
    weights = try SafetensorsFile(file)
    let tensors = weights.header.tensors
    let names = tensors.map(\.name)
    extents = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.extents) })
    parts = Self.parts(names)
    if let missing = role.parts.first(where: { [parts] in parts[$0] == nil }) {
      throw ModelError(
        "\(name): expected tensors \(Self.prefix(of: missing))…, found "
          + Self.description(of: names, without: missing, as: role, parts))
    }
    if role == .controlNet { try requireKnownConfiguration(names) }
  }

  /// What stands before the names of a part's tensors.
  private static func prefix(of part: ModelPart) -> String {
    switch part {
    case .unet: "model.diffusion_model."
    case .vae: "first_stage_model."
    case .textEncoder: "cond_stage_model.transformer."
    case .controlnet: "control_model."
    case .transformer, .tokenizer, .scheduler:
      preconditionFailure("the part \(part.rawValue) has no weights in a single file")
    }
  }

  /// Of the autoencoder's training, of no use here.
  private static let leftovers = ["loss.", "model_ema."]

  private static func parts(_ names: [String]) -> [ModelPart: [String: String]] {
    // A ControlNet that is alone has no prefix.
    let isDiffusers = names.contains(conditionOfDiffusers)
    if isDiffusers || names.contains("input_hint_block.0.weight") {
      return [.controlnet: renamed(names, of: .controlnet, prefix: "", isDiffusers: isDiffusers)]
    }
    var parts: [ModelPart: [String: String]] = [:]
    for part in [ModelPart.unet, .vae, .textEncoder, .controlnet] {
      let own = names.filter { $0.hasPrefix(prefix(of: part)) }
      if !own.isEmpty {
        parts[part] = renamed(
          own, of: part, prefix: prefix(of: part), isDiffusers: part == .textEncoder)
      }
    }
    return parts
  }

  private static let conditionOfDiffusers = "controlnet_cond_embedding.conv_in.weight"

  /// - Parameter isDiffusers: whether the names behind the prefix are those already.
  private static func renamed(
    _ names: [String], of part: ModelPart, prefix: String, isDiffusers: Bool
  ) -> [String: String] {
    var renamed: [String: String] = [:]
    for name in names { renamed[name] = String(name.dropFirst(prefix.count)) }
    if part == .vae {
      renamed = renamed.filter { name in !leftovers.contains { name.value.hasPrefix($0) } }
    }
    guard !isDiffusers else { return renamed }
    let original =
      part == .vae
      ? OriginalNames(autoencoder: renamed.values) : OriginalNames(trunk: renamed.values)
    return renamed.mapValues(original.diffusers)
  }

  /// What a file is instead of what it was given for.
  private static func description(
    of names: [String], without missing: ModelPart, as role: Role,
    _ parts: [ModelPart: [String: String]]
  ) -> String {
    let unet = prefix(of: .unet)
    // SD 2.x and XL; Flux, SD 3 and others, alone or with all that belongs to them.
    let others =
      ["conditioner.", "cond_stage_model.model.", "text_encoders.", "\(unet)label_emb."]
      + ["double_blocks.", "joint_blocks."].flatMap { [$0, unet + $0] }
    if names.contains(where: { name in others.contains { name.hasPrefix($0) } }) {
      return
        "a model of another class (Stable Diffusion 2.x, XL or a newer one): single files of those cannot be run"
    }
    if role == .model, missing != .unet {
      return
        "none: give a checkpoint that has its text encoder and autoencoder in it, or a model's folder"
    }
    if role == .model, parts[.controlnet] != nil {
      return "a ControlNet: give it by --controlnet, with a model to steer"
    }
    let found =
      switch names.count {
      case 0: "none"
      case 1: "only \(names[0].quoted)"
      default: "\(names.count) others, the first \(names[0].quoted)"
      }
    let wanted =
      role == .model
      ? "a Stable Diffusion 1.x checkpoint, or a model's folder"
      : "a ControlNet's checkpoint or folder"
    return "\(found): give \(wanted)"
  }

  /// Refuses ControlNets of which something is known that their tensors' shapes do not tell.
  private func requireKnownConfiguration(_ names: [String]) throws(ModelError) {
    if names.contains("difference") {
      throw ModelError(
        "\(name): expected a ControlNet's weights, found what they differ by from a model's (tensor \"difference\"): "
          + "give the whole ControlNet")
    }
    let path = name.split(separator: "/", omittingEmptySubsequences: false)
    let stem = path.last!.replacing(".safetensors", with: "")
    if stem.hasSuffix("_shuffle") || stem.hasSuffix("_shuffle_fp16") {
      throw ModelError(
        "\(name): a ControlNet for shuffled pictures, whose conditions are pooled: such models cannot be run"
      )
    }
    let folder = path.count > 1 ? path.dropLast().joined(separator: "/") : "."
    if names.contains(Self.conditionOfDiffusers), access("\(folder)/config.json", F_OK) == 0 {
      throw ModelError(
        "\(name): expected a file of its own, found a config.json beside it, which belongs to the weights: "
          + "give the folder \(folder)")
    }
  }

  /// No file lies there, but errors have to tell what of the whole they mean.
  func place(_ path: String) -> String { "\(name) (\(path))" }

  func file(_ path: String) throws(ModelError) -> StoredFile? {
    guard let slash = path.firstIndex(of: "/"),
      let part = ModelPart(rawValue: String(path[..<slash]))
    else { return nil }
    switch (part, path[path.index(after: slash)...]) {
    case (.scheduler, part.configFile[...]) where parts[.unet] != nil:
      return StoredFile(name: place(path), bytes: Array(scheduler.text.utf8))
    case (.tokenizer, let file) where parts[.textEncoder] != nil:
      return try CLIPVocabulary.file(String(file))
    case (_, part.configFile[...]):
      guard let names = parts[part] else { return nil }
      let shapes = names.map { (WeightNames.canonical($0.value, part: part), extents[$0.key]!) }
      // A name that is there twice is refused with the weights.
      let implied = ImpliedConfig(
        place: "\(name): \(part.rawValue)",
        shapes: Dictionary(shapes, uniquingKeysWith: { first, _ in first }))
      return StoredFile(
        name: place(path), bytes: Array(try implied.config(of: part).text.utf8))
    default: return nil
    }
  }

  private var scheduler: JSON {
    // What other programs write into such files: tensors without meaning, or a line about them.
    let metadata = weights.header.metadata
    let isVelocity =
      extents["v_pred"] != nil || metadata["modelspec.predict_key"] == "v"
      || metadata["modelspec.prediction_type"] == "v"
    return ImpliedConfig.scheduler(
      predictsVelocity: isVelocity, endsInNoise: extents["ztsnr"] != nil)
  }

  func names(in folder: String) -> [String] { [] }

  func weights(of part: ModelPart, in folder: String) throws(ModelError) -> Checkpoint {
    let names = parts[part] ?? [:]
    return try Checkpoint(
      part: part, place: name, files: [weights],
      mismatch: "this is not the whole of a Stable Diffusion 1.x checkpoint, or more than one"
    ) { names[$0] }
  }
}
