import ArgumentParser
import Restoration

/// What is to be done, and with which model.
struct TaskArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What is wrong with the frames. mp4 is deartifact, sr is superres. (default: denoise; with --method zero-shot derain)",
      valueName: "task"))
  var task: RestorationTask?

  @Option(
    help: ArgumentHelp(
      "tdm, or zero-shot: deraining by a CogVideoX model that was never trained for it; see below.",
      valueName: "method"))
  var method: RestorationOptions.Method = .tdm

  @Option(
    help: ArgumentHelp(
      "Option values that go together; see above. Options given by hand win. (default: balanced)",
      valueName: "preset"))
  var preset: Preset?

  @Option(
    help: ArgumentHelp(
      "A Stable Diffusion 1.x model, or with --method zero-shot a CogVideoX model: a folder in diffusers' layout, a Stable Diffusion 1.x checkpoint (.safetensors), or a .tdmpack file. (default: the embedded model)",
      valueName: "path"))
  var model: String?

  @Option(
    name: .customLong("controlnet"),
    help: ArgumentHelp(
      "The ControlNet, where it is not in --model: a folder or a checkpoint (.safetensors). Models within that one, for some of the tasks, are then left alone.",
      valueName: "path"))
  var controlNet: String?
}

extension RestorationTask: ExpressibleByArgument {
  public init?(argument: String) { self.init(name: argument) }

  public static var allValueStrings: [String] { allCases.flatMap { [$0.rawValue] + $0.aliases } }
}

extension Preset: ExpressibleByArgument {}
extension RestorationOptions.Method: ExpressibleByArgument {}
