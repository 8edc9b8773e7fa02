import StrictJSON
import TensorCore

/// A model in the layout that diffusers writes: a folder for each part, with its configuration and
/// its weights.
///
/// It may lie in a folder, in a packed file (tdm-model(5)), in the program itself, or be a
/// checkpoint of a single file, which stands for such a folder. A ControlNet may lie apart from the
/// model that it steers, because that is how it is usually published. No weights are read before
/// they are asked for.
public struct ModelFolder: Sendable {
  /// What messages call it: its path, or "the embedded model".
  public let name: String
  private let tree: any FileTree
  /// The ControlNet's own folder, where it is not a part of `tree`.
  private let controlNet: (any FileTree)?
  /// By the parts that are there.
  public let family: ModelFamily
  /// The class of each part, by `model_index.json`; empty where there is none.
  private let classNames: [String: String]

  /// - Parameters:
  ///   - path: a diffusers folder, a packed model or a checkpoint.
  ///   - controlNet: a ControlNet's folder (with its `config.json`), or one with a folder
  ///     `controlnet`, or its checkpoint.
  /// - Throws: `ModelError` where there is no model at `path`.
  public init(path: String, controlNet: String? = nil) throws(ModelError) {
    var steering: (any FileTree)?
    if let controlNet {
      let tree = try Self.tree(at: controlNet, as: .controlNet)
      let below = Subtree(base: tree, folder: ModelPart.controlnet.rawValue)
      steering = try below.file(ModelPart.controlnet.configFile) == nil ? tree : below
    }
    try self.init(tree: try Self.tree(at: path, as: .model), controlNet: steering)
  }

  init(tree: any FileTree, controlNet: (any FileTree)? = nil) throws(ModelError) {
    name = tree.name
    self.tree = tree
    self.controlNet = controlNet
    var classNames: [String: String] = [:]
    let index = try tree.file("model_index.json")
    if let index {
      for (part, value) in try index.object() {
        if let pair = value.array, pair.count == 2 { classNames[part] = pair[1].string }
      }
    }
    // Other models have a transformer, too.
    let transformer = try tree.file("transformer/config.json")?.object()
    let isVideo = transformer?["_class_name"]?.string == "CogVideoXTransformer3DModel"
    if index == nil, !isVideo, try tree.file("unet/config.json") == nil {
      throw ModelError(
        "\(tree.name): expected a model's folder as diffusers writes it, with unet/config.json and the other parts, found "
          + (try Self.description(of: tree)))
    }
    family = isVideo ? .cogVideoX : .stableDiffusion
    self.classNames = classNames
  }

  /// What a folder holds instead of a model.
  private static func description(of tree: any FileTree) throws(ModelError) -> String {
    if let config = try tree.file("config.json") {
      let name = try config.object()["_class_name"]?.string ?? "another model"
      return name == "ControlNetModel"
        ? "a ControlNet: give it by --controlnet, with a model to steer"
        : "a part of one (\(name.quoted)): give the folder around it"
    }
    let checkpoints = tree.names(in: "").filter { $0.hasSuffix(".safetensors") }
    guard let first = checkpoints.first else { return "none of them: nothing is downloaded" }
    return "checkpoints: give one of them, as \(tree.place(first))"
  }

  private static func tree(
    at path: String, as role: SingleFileModel.Role
  ) throws(ModelError) -> any FileTree {
    let path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    switch PathKind(path) {
    case .folder: return DirectoryTree(name: path)
    case .nothing:
      throw ModelError(
        "\(path): no such file or folder: give a model's folder, a .safetensors or a .tdmpack file (nothing is downloaded)"
      )
    case .other:
      guard !PartWeights.otherEndings.contains(where: path.hasSuffix) else {
        throw ModelError(
          "\(path): such files are never opened, because they can run code: save the model as safetensors"
        )
      }
      guard let file = try ReadFile.open(path) else { return DirectoryTree(name: path) }
      if try SingleFileModel.isCheckpoint(file) {
        return try SingleFileModel(StoredFile(file), as: role)
      }
      return try PackedModel(file)
    }
  }

  /// The model that is part of the program.
  /// - Throws: `ModelError` in a program that was built without one.
  public static func embedded() throws(ModelError) -> ModelFolder {
    try ModelFolder(tree: EmbeddedModel.packed())
  }

  /// The model in a folder of this one, which may run some tasks in its place
  /// (``PresetConfig/taskModel``).
  /// - Throws: `ModelError` where there is none.
  public func inner(_ folder: String) throws(ModelError) -> ModelFolder {
    try ModelFolder(tree: Subtree(base: tree, folder: folder))
  }

  /// Whether the ControlNet lies in a folder of its own: it then steers this model and no other.
  public var hasSeparateControlNet: Bool { controlNet != nil }

  /// - Throws: `ModelError` where the model is of another family.
  public func require(_ family: ModelFamily) throws(ModelError) {
    guard self.family != family else { return }
    let place = place(of: family.core)
    switch family {
    case .stableDiffusion:
      throw ModelError(
        "\(place): missing: expected a Stable Diffusion model, found a CogVideoX model; give --method zero-shot --task derain with it"
      )
    case .cogVideoX:
      let config = try folder(of: family.core).file(family.core.configFile)?.object()
      let found = config.map { "_class_name \($0["_class_name"]?.summary ?? "none")" } ?? "none"
      throw ModelError(
        "\(place): expected a CogVideoXTransformer3DModel for --method zero-shot, found \(found); give a CogVideoX folder, or leave "
          + "the method out")
    }
  }

  private func folder(of part: ModelPart) -> any FileTree {
    if part == .controlnet, let controlNet { return controlNet }
    return Subtree(base: tree, folder: part.rawValue)
  }

  /// A file beside the parts' folders.
  func rootFile(_ path: String) throws(ModelError) -> StoredFile? { try tree.file(path) }

  /// What errors call a part's configuration.
  func place(of part: ModelPart) -> String { folder(of: part).place(part.configFile) }

  /// Whether the part is there, by its configuration.
  public func hasPart(_ part: ModelPart) -> Bool {
    ((try? folder(of: part).file(part.configFile)) ?? nil) != nil
  }

  /// - Parameter names: the classes that can be run; nil for those of the part.
  /// - Throws: `ModelError` where `model_index.json` gives the part a class that cannot be run.
  private func requireClass(
    _ part: ModelPart, oneOf names: [String]? = nil
  ) throws(ModelError) {
    let names = names ?? part.classNames(of: family)
    guard !(part == .controlnet && controlNet != nil), let found = classNames[part.rawValue],
      !names.contains(found)
    else { return }
    throw ModelError(
      "\(tree.place("model_index.json")): \(part.rawValue): expected "
        + "\(ConfigReader.list(names)), found \(found.quoted): such models cannot be run")
  }

  private func reader(_ part: ModelPart) throws(ModelError) -> ConfigReader {
    try requireClass(part)
    let advice =
      switch part {
      case .controlnet where controlNet != nil:
        "expected a ControlNet's folder, or one with a folder controlnet"
      case .controlnet:
        "the model has no ControlNet: leave it out with --control-scale 0 and no --inversion-control-scale, or give a model of your own one by "
          + "--controlnet"
      default: "the part \(part.rawValue) of the model has to be complete"
      }
    return try ConfigReader(try folder(of: part).required(part.configFile, advice))
  }

  public func unetConfig() throws(ModelError) -> UNetConfig { try UNetConfig(reader(.unet)) }

  public func controlNetConfig() throws(ModelError) -> ControlNetConfig {
    try ControlNetConfig(reader(.controlnet))
  }

  public func autoencoderConfig() throws(ModelError) -> AutoencoderConfig {
    try AutoencoderConfig(reader(.vae))
  }

  public func textConfig() throws(ModelError) -> CLIPTextConfig {
    try CLIPTextConfig(reader(.textEncoder))
  }

  public func schedulerConfig() throws(ModelError) -> SchedulerConfig {
    try SchedulerConfig(reader(.scheduler))
  }

  /// The tokenizer of a model whose text encoder is CLIP's.
  /// - Parameter length: the number of tokens of every prompt, ``CLIPTextConfig/promptLength``.
  public func tokenizer(length: Int) throws(ModelError) -> CLIPTokenizer {
    try requireClass(.tokenizer)
    return try CLIPTokenizer(CLIPTokenizerFiles(folder(of: .tokenizer)), length: length)
  }

  public func videoTransformerConfig() throws(ModelError) -> CogVideoXTransformerConfig {
    try CogVideoXTransformerConfig(reader(.transformer))
  }

  public func videoAutoencoderConfig() throws(ModelError) -> AutoencoderKLCogVideoXConfig {
    try AutoencoderKLCogVideoXConfig(reader(.vae))
  }

  public func t5Config() throws(ModelError) -> T5Config { try T5Config(reader(.textEncoder)) }

  public func videoSchedulerConfig() throws(ModelError) -> CogVideoXSchedulerConfig {
    try CogVideoXSchedulerConfig(reader(.scheduler))
  }

  /// The tokenizer of a model whose text encoder is a T5.
  /// - Parameter length: the number of tokens of every prompt, from 1.
  public func t5Tokenizer(length: Int) throws(ModelError) -> T5Tokenizer {
    try requireClass(.tokenizer, oneOf: ModelPart.tokenizer.classNames(of: .cogVideoX))
    return try T5Tokenizer(folder(of: .tokenizer), length: length)
  }

  /// The weights of a part, checked for form; what they belong to, the networks check as they ask
  /// for them. An AutoencoderHaar has none.
  public func weights(of part: ModelPart) throws(ModelError) -> WeightScope {
    WeightScope(checkpoint: try folder(of: part).weights(of: part, in: ""))
  }

  /// Opens the files that the model's networks are made of, which they can then be when nothing may
  /// be opened any more. What is missing or broken is told when it is used.
  public func openFiles() {
    for part in ModelPart.allCases {
      if hasPart(part), part.weightsStem != nil { _ = try? weights(of: part) }
    }
    if let text = try? textConfig() { _ = try? tokenizer(length: text.promptLength) }
  }
}
