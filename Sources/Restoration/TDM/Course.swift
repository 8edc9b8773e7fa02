import Diffusion
import Kernels

/// Everything that is derived from the options in effect; made anew when they change.
struct Course {
  let options: RestorationOptions
  let memory: MemoryEstimate
  let inversion: Inversion
  let sampling: Sampling
  let window: Window?
  /// Given up before another course makes its own: the two together may be more than there is room
  /// for.
  var cache: (any FeatureCache)?
  var sceneCuts: SceneCutDetector?
  /// Likewise.
  var colorFix: WaveletColorFix?
  /// Likewise.
  var fusion: FrameFusion?
  /// Likewise.
  var veil: EvenVeil?
  /// Likewise.
  var mixing: Mixing?
  /// Likewise.
  var startNoise: StartNoise?
  private let contexts: [String: any PromptContext]

  /// - Parameters:
  ///   - memory: what the options take.
  ///   - former: whose prompts need not be computed again.
  init(
    _ options: RestorationOptions, memory: MemoryEstimate, schedule: NoiseSchedule,
    networks: any PipelineNetworks, tiling: Tiling, former: Course? = nil
  ) throws {
    self.options = options
    self.memory = memory
    // Each different prompt once, and none that is not used any more: a client may change them for
    // as long as it likes.
    var contexts: [String: any PromptContext] = [:]
    func context(_ prompt: String) throws -> any PromptContext {
      let context =
        try contexts[prompt] ?? former?.contexts[prompt] ?? networks.prepare(prompt: prompt)
      contexts[prompt] = context
      return context
    }
    inversion = Inversion(
      options, schedule: schedule, context: try context(options.promptOfInversion))
    sampling = Sampling(
      options, schedule: schedule, positive: try context(options.taskPrompt),
      negative: options.isGuided ? try context(options.negativePrompt) : nil)
    self.contexts = contexts
    window = Window(options)
    let (width, height) = (tiling.canvas.width, tiling.canvas.height)
    sceneCuts = options.sceneCut == .auto ? SceneCutDetector(width: width, height: height) : nil
    mixing = Mixing(amount: options.amount)
    startNoise =
      options.start == .noise ? StartNoise(tiling, shape: networks.latentShape) : nil
    colorFix = options.colorFix == .wavelet ? WaveletColorFix(width: width, height: height) : nil
    fusion =
      !options.usesFusion
      ? nil
      : FrameFusion(
        options, networks.makeFusion(height: height, width: width),
        frameCount: tiling.canvas.frameCount,
        givesSecondPicture: networks.seesSecondPicture)
    veil =
      options.looksForEvenVeil && tiling.count == 1
      ? EvenVeil(frameCount: tiling.canvas.frameCount) : nil
    // A tile's passes follow those of the tile before.
    cache = try window.map {
      try networks.makeFeatureCache(
        passes: tiling.count * options.passCount, slots: $0.keptCount(options))
    }
  }
}
