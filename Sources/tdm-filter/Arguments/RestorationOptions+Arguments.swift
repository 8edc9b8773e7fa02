import Restoration

extension RestorationOptions {
  /// The preset's values, and over them those given by hand.
  init(_ arguments: TDMFilter, over values: PresetValues) {
    let given = arguments.restoration
    if arguments.task.method == .zeroShot {
      self = .zeroShotDeraining
      task = arguments.task.task ?? task
      steps = given.steps ?? steps
      guidance = given.guidance ?? guidance
      amount = given.amount ?? amount
      negativePrompt = given.negativePrompt ?? negativePrompt
      seed = arguments.ablations.seed ?? seed
      zeroShot.skip = arguments.zeroShot.skip ?? zeroShot.skip
      zeroShot.switchBlocks = arguments.zeroShot.switchBlocks ?? zeroShot.switchBlocks
      zeroShot.segment = arguments.zeroShot.segment ?? zeroShot.segment
      zeroShot.overlap =
        arguments.zeroShot.overlap ?? min(zeroShot.overlap, max(zeroShot.segment, 1) - 1)
      return
    }
    self.init(values, task: arguments.task.task ?? .denoise)
    fusion = given.fusion ?? fusion
    history = given.history ?? history
    radius = given.radius ?? radius
    fusionNoise = given.fusionNoise ?? fusionNoise
    chunk = given.chunk ?? chunk
    lookahead = given.lookahead ?? lookahead
    inversionSteps = given.inversionSteps ?? inversionSteps
    steps = given.steps ?? steps
    strength = given.strength ?? strength
    guidance = given.guidance ?? guidance
    prompt = given.prompt ?? prompt
    negativePrompt = given.negativePrompt ?? negativePrompt
    controlScale = given.controlScale ?? controlScale
    colorFix = given.colorFix ?? colorFix
    amount = given.amount ?? amount
    workSize = given.workSize ?? workSize
    sceneCut = given.sceneCut ?? sceneCut

    let ablations = arguments.ablations
    attention = ablations.attention ?? attention
    start = ablations.start ?? start
    seed = ablations.seed ?? seed
    inversionControlScale = ablations.inversionControlScale ?? inversionControlScale
    inversionPrompt = ablations.inversionPrompt ?? inversionPrompt
    windowInControlNet = ablations.windowInControlNet
  }
}
