import ArgumentParser
import Restoration

/// What is to be done, and with which model.
struct TaskArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What is wrong with the frames. mp4 is deartifact, sr is superres.",
      valueName: "task"))
  var task: RestorationTask = .denoise

  @Option(
    help: ArgumentHelp(
      "Option values that go together; see above. Options given by hand win.", valueName: "preset"))
  var preset: Preset = .balanced

  @Option(
    help: ArgumentHelp(
      "A Stable Diffusion 1.x model: a folder in diffusers' layout, or a .tdmpack file. (default: the embedded model)",
      valueName: "folder"))
  var model: String?

  @Option(
    name: .customLong("controlnet"),
    help: ArgumentHelp(
      "The ControlNet, where it is not in the folder of --model.", valueName: "folder"))
  var controlNet: String?
}

extension RestorationTask: ExpressibleByArgument {
  public init?(argument: String) { self.init(name: argument) }

  public static var allValueStrings: [String] { allCases.flatMap { [$0.rawValue] + $0.aliases } }
}

extension Preset: ExpressibleByArgument {}
