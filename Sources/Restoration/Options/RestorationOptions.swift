import ModelFiles

/// How frames are restored: everything that the pipeline can be told.
///
/// The names are those of the command line.
public struct RestorationOptions: Sendable, Equatable {
  /// Whose keys and values a frame's self-attention reads.
  public enum Attention: String, CaseIterable, Sendable {
    /// The mean over the frames within ``RestorationOptions/radius`` (sliding-window cross-frame
    /// attention).
    case window
    /// Those of the first frame since the last cut.
    case first
    /// Its own.
    case `self`
  }

  /// Where sampling starts from.
  public enum Start: String, CaseIterable, Sendable {
    /// The frame's own latent, inverted up to the noisiest level.
    case inversion
    /// Gaussian noise from ``RestorationOptions/seed`` + how many frames were restored before.
    case noise
  }

  public enum InversionPrompt: String, CaseIterable, Sendable { case empty, task }

  /// Whether frames before a scene cut are kept from those after it.
  public enum SceneCut: String, CaseIterable, Sendable { case auto, off }

  public enum ColorFix: String, CaseIterable, Sendable {
    case none
    /// The coarse colours of the restored frame are replaced by those of what the networks were
    /// given.
    case wavelet
  }

  /// How, at large. Each method has options that the other does not read.
  public enum Method: String, CaseIterable, Sendable {
    case tdm
    case zeroShot = "zero-shot"
  }

  public var method = Method.tdm
  /// Read with ``Method/zeroShot`` alone.
  public var zeroShot = ZeroShotOptions()
  /// Set by itself it leaves ``evenVeil``, ``fusion``, ``fusionNoise``, ``history``,
  /// ``innerModel``, ``radius`` and ``workSize`` as they were, which tasks differ in: see
  /// ``init(_:task:)``.
  public var task: RestorationTask
  /// The folder, within the model's, of the one that restores in its place. The preset's and the
  /// task's to say, not the command line's.
  public var innerModel: String?
  /// In place of the task's prompt.
  public var prompt: String?
  /// What guidance leads away from.
  public var negativePrompt = ""
  /// Frames on either side that a frame reads, 0...64: their keys and values, or latents, as the
  /// model is made.
  public var radius: Int
  /// Frames on either side that a frame is averaged with along the motion before the networks see
  /// it, 0...5, each twice as far away as the one before, or, of rain, fused by rank
  /// (`MotionFusion`), 0...16; of later ones those at most ``lookahead`` away. But for noise,
  /// networks that see two pictures see that beside the frame.
  public var fusion = 0
  /// As how many earlier frames, beside those of ``fusion``, their mean counts at most where a
  /// frame stands still, 0...1000; 0 with tasks whose frames are fused by rank.
  public var history = 0
  /// The standard deviation of the noise, of 255 levels, that frames are taken to have in that
  /// where less is measured, 0...255; not read where they are fused by rank.
  public var fusionNoise = 0.0
  /// Frames sampled in lockstep and emitted together, 0...4096; 0 is the whole clip, or scene by
  /// scene with ``SceneCut/auto``.
  public var chunk: Int
  /// Frames after the chunk that are sampled beside it for its window, and again with their own
  /// chunk; 0...4096. Where no window reads later frames there are none, and only ``fusion`` waits
  /// for so many.
  public var lookahead: Int
  /// Moves up, 0...1000; 0 takes a frame's latent as it is for the noisiest level.
  public var inversionSteps: Int
  /// Moves down, 1...1000.
  public var steps: Int
  /// The share of the noise levels that is gone through, 0 < strength <= 1.
  public var strength: Double
  /// Classifier-free guidance, 0...100; 1 is off and costs nothing.
  public var guidance = 1.0
  /// Factor of the ControlNet's residuals in sampling, 0...10; 0 leaves the network out.
  public var controlScale = 1.0
  /// The same in inversion.
  public var inversionControlScale = 0.0
  public var inversionPrompt = InversionPrompt.empty
  /// The ControlNet's self-attentions read the window too.
  public var windowInControlNet = false
  public var attention = Attention.window
  public var start = Start.inversion
  /// Of the first frame's noise with ``Start/noise``, at most `Int.max`; each further frame has one
  /// more.
  public var seed: UInt64 = 0
  public var sceneCut = SceneCut.auto
  public var colorFix = ColorFix.none
  /// Frames are restored reduced so that neither side is longer than so many pixels, and what
  /// changes is carried over to them (`GuidedTransfer`); 0, or 64...16384. 0: they are restored at
  /// their own size, and are what the networks make of them.
  public var workSize = 0
  /// A frame with its levels stretched from black to white is given in the place of what the
  /// networks made of it where they changed the frame and leave that as it is (`EvenVeil`). The
  /// model's to say, not the command line's (``PresetValues/taskEvenVeil``).
  public var evenVeil = false
  /// How much of what restoration changes is kept, 0...2: 0 is the frame that was pushed (for a
  /// task that enlarges, enlarged), above 1 the change is exaggerated.
  public var amount = 1.0

  /// What a preset stands for, with what the task says of it: frames are fused for noise alone
  /// (``RestorationTask/isFusedByPreset``), but where the model says so of others
  /// (``PresetValues/taskFusion``), and taken to have the noise that the task says
  /// (``RestorationTask/fusionNoise``).
  public init(
    _ values: PresetValues = Preset.balanced.values, task: RestorationTask = .denoise
  ) {
    self.task = task
    innerModel = values.innerModel
    fusion = values.taskFusion[task] ?? (task.isFusedByPreset ? values.fusion : 0)
    history = task.isFusedByPreset ? values.history : 0
    radius = values.taskRadius[task] ?? values.radius
    chunk = values.chunk
    lookahead = values.lookahead
    workSize = task.enlargement == 1 ? values.taskWorkSize[task] ?? values.workSize : 0
    fusionNoise = task.fusionNoise
    evenVeil = values.taskEvenVeil[task] ?? false
    inversionSteps = values.inversionSteps
    steps = values.steps
    strength = values.strength
    controlScale = values.controlScale
  }

  /// Those of zero-shot deraining, where nothing else is said.
  public static var zeroShotDeraining: RestorationOptions {
    var options = RestorationOptions(task: .derain)
    options.method = .zeroShot
    options.steps = 100
    options.guidance = 15
    options.negativePrompt = ZeroShotOptions.negativePrompt
    return options
  }

  /// Frames that are computed in lockstep, and leave together or nearly so; 0 is the whole clip.
  public var framesTogether: Int { method == .zeroShot ? zeroShot.segment : chunk }

  /// Those that a preset stands for.
  public var presetValues: PresetValues {
    PresetValues(
      innerModel: innerModel, inversionSteps: inversionSteps, steps: steps, strength: strength,
      radius: radius, fusion: fusion, history: history, chunk: chunk, lookahead: lookahead,
      workSize: workSize,
      controlScale: controlScale)
  }

  /// The size at which frames of a size are restored, in pixels.
  public func workingSize(width: Int, height: Int) -> (width: Int, height: Int) {
    let longest = max(width, height)
    guard workSize > 0, longest > workSize else { return (width, height) }
    func reduced(_ side: Int) -> Int {
      max(1, Int((Double(side * workSize) / Double(longest)).rounded()))
    }
    return (reduced(width), reduced(height))
  }

  /// The model whose networks restore: the one that was given, or one within it.
  public func model(within given: ModelFolder) throws(ModelError) -> ModelFolder {
    if let innerModel { return try given.inner(innerModel) }
    return given
  }

  /// The prompt that sampling follows.
  public var taskPrompt: String { prompt ?? task.prompt }

  /// The prompt of the inversion.
  var promptOfInversion: String { inversionPrompt == .task ? taskPrompt : "" }

  var isGuided: Bool { guidance != 1 }

  /// Whether the networks see other frames than those that come.
  var usesFusion: Bool { fusion > 0 || history > 0 }

  /// Whether a frame's veil may be found to be even: where frames leave one by one, each restored
  /// from itself.
  var looksForEvenVeil: Bool {
    evenVeil && chunk == 1 && !usesFusion && start == .inversion && Window(self) == nil
  }

  /// Whether frames are needed as the networks were given them when these are done.
  var keepsInput: Bool { colorFix != .none || looksForEvenVeil }

  var usesControl: Bool {
    controlScale != 0
      || (inversionControlScale != 0 && start == .inversion && inversionSteps > 0)
  }

  /// Without a ControlNet in sampling there is nothing whose window it could read.
  var readsWindowInControlNet: Bool { windowInControlNet && controlScale != 0 }
}
