import ModelFiles
import Restoration
import Video

/// What is warned of before the first frame.
extension Settings {
  /// What speaks against how the model is to be run: one that says how many steps some presets take,
  /// and at what strength, was made for those.
  func doubts(about model: ModelFolder) throws(ModelError) -> [String] {
    guard method == .tdm else { return [] }
    let own = try model.presets().filter { $0.value.steps != nil }.keys.sorted()
    if own.isEmpty { return [] }
    guard let values = try model.presets()[preset.rawValue], own.contains(preset.rawValue) else {
      let made = own.joined(separator: " and ")
      return [
        "--preset \(preset.rawValue): \(model.name) is made for \(made), and restores worse by it"
      ]
    }
    let given = arguments.restoration
    let ofStart =
      arguments.ablations.start == .noise
      ? ["--start noise: \(model.name) is made to begin with the frame, and restores worse"] : []
    return ofStart
      + [
        ("steps", given.steps.map(Double.init), values.steps.map(Double.init)),
        ("strength", given.strength, values.strength),
        (
          "inversion-steps", given.inversionSteps.map(Double.init),
          values.inversionSteps.map(Double.init)
        ),
      ].compactMap { name, given, made in
        guard let given, let made, given != made else { return nil }
        return
          "--\(name) \(given.shortest): \(model.name) is made for \(made.shortest), and restores worse by another; "
          + "--amount says how much of what it does is kept"
      }
  }

  /// What in the stream will not be as its sender may think.
  func doubts(about stream: StreamFormat) -> [String] {
    var doubts: [String] = []
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
