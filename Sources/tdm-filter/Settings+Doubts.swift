import Kernels
import ModelFiles
import Restoration
import Video

/// What is warned of before the first frame.
extension Settings {
  /// What speaks against how the model is to be run: one that says how many steps some presets
  /// take, and at what strength, was made for those.
  func doubts(about model: ModelFolder) throws(ModelError) -> [String] {
    guard method == .tdm else { return [] }
    let doubts =
      try doubts(aboutPromptsOf: model) + doubts(aboutRadiusOf: model)
      + doubts(aboutUnreadOf: model)
    let own = try model.presets().filter { $0.value.steps != nil }.keys.sorted()
    if own.isEmpty { return doubts }
    guard let values = try model.presets()[preset.rawValue], own.contains(preset.rawValue) else {
      let made = own.joined(separator: " and ")
      return doubts + [
        "--preset \(preset.rawValue): \(model.name) is made for \(made), and restores worse by it"
      ]
    }
    return doubts + self.doubts(aboutStartOf: model) + self.doubts(about: model, madeFor: values)
  }

  private func doubts(aboutPromptsOf model: ModelFolder) -> [String] {
    let given = arguments.restoration
    var doubts: [String] = []
    if self.model == nil, let prompt = given.prompt,
      !RestorationTask.allCases.map(\.prompt).contains(prompt)
    {
      doubts.append(
        "--prompt: \(model.name) knows the prompts of its tasks alone, and restores worse by another"
      )
    }
    if given.negativePrompt != nil, given.guidance ?? 1 == 1 {
      doubts.append("--negative-prompt: has no effect without --guidance other than 1")
    }
    return doubts
  }

  /// Of options that nothing reads because of others.
  private func doubts(aboutUnreadOf model: ModelFolder) throws(ModelError) -> [String] {
    let given = arguments.ablations
    let startsFromNoise = given.start == .noise
    let standard = try preset.values(for: model, task: task).inversionSteps
    let inversionSteps = arguments.restoration.inversionSteps ?? standard
    var doubts: [String] = []
    if given.seed != nil, !startsFromNoise {
      doubts.append("--seed: has no effect without --start noise")
    }
    if inversionSteps == 0 || startsFromNoise {
      if given.inversionControlScale ?? 0 != 0 {
        doubts.append("--inversion-control-scale: has no effect without an inversion")
      }
      if given.inversionPrompt == .task {
        doubts.append("--inversion-prompt: has no effect without an inversion")
      }
    }
    return doubts
  }

  private func doubts(aboutRadiusOf model: ModelFolder) throws(ModelError) -> [String] {
    guard let radius = arguments.restoration.radius, radius > 0,
      !arguments.ablations.windowInControlNet
    else { return [] }
    let unet = try model.unetConfig()
    guard !unet.windowAttention, unet.windowInput == 0 else { return [] }
    return [
      "--radius \(radius): has no effect on pictures, because \(model.name) reads no window; leave the option out"
    ]
  }

  private func doubts(aboutStartOf model: ModelFolder) -> [String] {
    arguments.ablations.start == .noise
      ? ["--start noise: \(model.name) is made to begin with the frame, and restores worse"] : []
  }

  private func doubts(about model: ModelFolder, madeFor values: PresetConfig) -> [String] {
    let given = arguments.restoration
    let numbers: [(name: String, given: Double?, made: Double?)] = [
      ("steps", given.steps.map(Double.init), values.steps.map(Double.init)),
      ("strength", given.strength, values.strength),
      (
        "inversion-steps", given.inversionSteps.map(Double.init),
        values.inversionSteps.map(Double.init)
      ),
      ("guidance", given.guidance, self.model == nil ? 1 : nil),
    ]
    return numbers.compactMap { name, given, made in
      guard let given, let made, given != made else { return nil }
      return
        "--\(name) \(given.shortest): \(model.name) is made for \(made.shortest), and restores worse by another; "
        + "--amount says how much of what it does is kept"
    }
  }

  /// What of the stream, and of how it is taken, will not be as its sender may think.
  /// - Parameter isFile: whether it comes from a file, which waits.
  func doubts(about stream: StreamFormat, isFile: Bool) -> [String] {
    var doubts: [String] = []
    if let given = arguments.program.threads, given > CPUDevice.processorCount {
      doubts.append(
        "--threads \(given): more than the \(CPUDevice.processorCount) processors that there are, which makes it slower"
      )
    }
    if stream.hasMatrix, stream.matrix == nil, stream.size.height >= 720 {
      doubts.append(
        "the stream does not tell its colour matrix, which is taken to be bt601, and that of most pictures so large is bt709: "
          + "give --matrix bt709, or bt601 if it is")
    }
    if isFile, whenLate != .wait {
      doubts.append(
        "--when-late \(whenLate.rawValue): the input is a file, which would wait, and frames that come before their turn are "
          + "not restored; leave the option out")
    }
    if stream.interlacing?.hasFields == true {
      doubts.append(
        "the stream is interlaced, and its frames are restored as whole pictures: deinterlace "
          + "them first, as by ffmpeg -i in.mp4 -vf bwdif")
    }
    if let given = input.frameRate, let rate = stream.frameRate, rate.value != given.value {
      doubts.append("--rate \(given): the stream's header says \(rate), which stays")
    }
    return doubts
  }
}
