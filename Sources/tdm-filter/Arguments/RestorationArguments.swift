import ArgumentParser
import Restoration

/// How frames are restored. What is not given is the preset's.
struct RestorationArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How much of what restoration changes is kept: 0.5 is halfway from the frame as it came, up to 2 exaggerates. (default: 1)",
      valueName: "X"), transform: number)
  var amount: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Restores frames reduced to at most so many pixels along the longer side, and changes them alike: for what is wrong at large. "
        + "0: not reduced. (default: the preset's for the task; with the embedded model 400 for dehaze, 0 for others)",
      valueName: "N"), transform: wholeNumber)
  var workSize: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Frames on either side that a frame reads.", valueName: "N"),
    transform: wholeNumber)
  var radius: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Frames on either side that a frame is averaged with along the motion before the networks see it, those 1, 2, 4, 8 and 16 away; of later ones no farther than "
        + "the lookahead. For derain the second darkest of each pixel of the nearest N takes the mean's place; for derain, deartifact and superres a model that sees two pictures is shown that beside the frame. (default: the preset's for denoise, for other tasks "
        + "0, or what the model says of the task)",
      valueName: "N"), transform: wholeNumber)
  var fusion: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Averages what stands still with the mean of the frames before those of --fusion, which counts as N frames at most; 0: off. "
        + "(default: the preset's for denoise, 0 for other tasks; derain takes only 0)",
      valueName: "N"), transform: wholeNumber)
  var history: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Noise that frames are taken to have in that, of 255 levels, where less is measured; more averages more, and what moves may "
        + "blur. Not read for derain. (default: 0, for deartifact 15, for superres 20)",
      valueName: "X"),
    transform: number)
  var fusionNoise: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Frames sampled side by side and emitted together; 0: the whole clip.", valueName: "N"),
    transform: wholeNumber)
  var chunk: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Frames beyond the chunk that are sampled beside it, for its window's sake.", valueName: "N"),
    transform: wholeNumber)
  var lookahead: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Steps of DDIM inversion, from the frame to noise; 0 samples from the frame as it is.",
      valueName: "N"), transform: wholeNumber)
  var inversionSteps: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Steps of sampling, from noise to the restored frame. (default: the preset's, with --method zero-shot 100)",
      valueName: "N"), transform: wholeNumber)
  var steps: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Share of the noise levels that is gone through, above 0, at most 1; less keeps closer to the input.",
      valueName: "X"), transform: number)
  var strength: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Classifier-free guidance; 1 is off, anything else doubles the time. (default: 1, with --method zero-shot 15)",
      valueName: "X"), transform: number)
  var guidance: Double?

  @Option(help: ArgumentHelp("Use this prompt instead of the task's.", valueName: "text"))
  var prompt: String?

  @Option(
    help: ArgumentHelp(
      "What guidance leads away from. (default: empty, with --method zero-shot names of rain)",
      valueName: "text"))
  var negativePrompt: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Weight of the ControlNet in sampling. (default: 1, unless the model says otherwise)",
      valueName: "X"), transform: number)
  var controlScale: Double?

  @Option(
    help: ArgumentHelp(
      "Bring the coarse colours back to the input's. (default: none)", valueName: "fix"))
  var colorFix: RestorationOptions.ColorFix?

  @Option(
    help: ArgumentHelp(
      "Let a window end where the scene changes. (default: auto)", valueName: "mode"))
  var sceneCut: RestorationOptions.SceneCut?
}

/// What the paper compares itself with, and what it leaves open.
struct AblationArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Whose features attention reads: the window's mean, the first frame's, the frame's own. (default: window)",
      valueName: "mode")
  )
  var attention: RestorationOptions.Attention?

  @Option(
    help: ArgumentHelp(
      "What sampling starts from: the inverted frame, or noise. (default: inversion)",
      valueName: "mode"))
  var start: RestorationOptions.Start?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Of the noise that --start noise takes, where frame i of those that are restored has seed + i, or --method zero-shot, where segment i has. (default: 0)",
      valueName: "N"), transform: wholeNumber)
  var seed: UInt64?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Weight of the ControlNet in inversion. (default: 0)", valueName: "X"),
    transform: number)
  var inversionControlScale: Double?

  @Option(help: ArgumentHelp("The prompt in inversion. (default: empty)", valueName: "prompt"))
  var inversionPrompt: RestorationOptions.InversionPrompt?

  @Flag(
    name: .customLong("window-in-controlnet"),
    help: "Let the ControlNet's attention read the window too.")
  var windowInControlNet = false
}

extension RestorationArguments {
  /// Those that were given and that only --method tdm reads: with another they are refused, not
  /// passed over.
  var givenForTDM: [String] {
    [
      ("--radius", radius != nil), ("--fusion", fusion != nil),
      ("--history", history != nil), ("--fusion-noise", fusionNoise != nil),
      ("--chunk", chunk != nil),
      ("--lookahead", lookahead != nil), ("--inversion-steps", inversionSteps != nil),
      ("--strength", strength != nil), ("--prompt", prompt != nil),
      ("--control-scale", controlScale != nil), ("--color-fix", colorFix != nil),
      ("--scene-cut", sceneCut != nil), ("--work-size", workSize != nil),
    ].filter(\.1).map(\.0)
  }
}

extension AblationArguments {
  /// As ``RestorationArguments/givenForTDM``.
  var givenForTDM: [String] {
    [
      ("--attention", attention != nil), ("--start", start != nil),
      ("--inversion-control-scale", inversionControlScale != nil),
      ("--inversion-prompt", inversionPrompt != nil),
      ("--window-in-controlnet", windowInControlNet),
    ].filter(\.1).map(\.0)
  }
}

extension RestorationOptions.Attention: ExpressibleByArgument {}
extension RestorationOptions.ColorFix: ExpressibleByArgument {}
extension RestorationOptions.InversionPrompt: ExpressibleByArgument {}
extension RestorationOptions.SceneCut: ExpressibleByArgument {}
extension RestorationOptions.Start: ExpressibleByArgument {}
