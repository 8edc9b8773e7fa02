import Testing

@testable import Restoration

/// A name and what it changes of the options.
struct OptionCase: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let change: @Sendable (inout RestorationOptions) -> Void

  init(_ name: String, _ change: @escaping @Sendable (inout RestorationOptions) -> Void = { _ in })
  {
    testDescription = name
    self.change = change
  }

  static let all = [
    OptionCase("as it is"),
    OptionCase("radius 0") { $0.radius = 0 },
    OptionCase("radius 1") { $0.radius = 1 },
    OptionCase("radius 5") { $0.radius = 5 },
    OptionCase("own attention") { $0.attention = .self },
    OptionCase("first frame's attention") { $0.attention = .first },
    OptionCase("guidance") {
      $0.guidance = 5
      $0.negativePrompt = "fog"
    },
    OptionCase("strength 0.6") { $0.strength = 0.6 },
    OptionCase("control and prompt in inversion") {
      $0.inversionControlScale = 0.7
      $0.inversionPrompt = .task
    },
    OptionCase("no inversion") { $0.inversionSteps = 0 },
    OptionCase("no control") { $0.controlScale = 0 },
    OptionCase("noise") {
      $0.start = .noise
      $0.seed = 5
    },
  ]
}
