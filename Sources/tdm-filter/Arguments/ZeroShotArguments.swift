import ArgumentParser
import Restoration

/// What only --method zero-shot reads.
struct ZeroShotArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Of the steps, how many of the noisiest are left out; more keeps closer to the input. (default: 40)",
      valueName: "N"), transform: wholeNumber)
  var skip: Int?

  @Option(
    help: ArgumentHelp(
      "Blocks with attention switching, which keep the scene. (default: 0-3,15-29)",
      valueName: "list"))
  var switchBlocks: BlockList?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Frames restored together. (default: 49)", valueName: "N"),
    transform: wholeNumber)
  var segment: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Frames that a segment shares with the next, cross-faded. (default: 8, or all but one of a shorter segment)",
      valueName: "N"), transform: wholeNumber)
  var overlap: Int?

  /// Those that were given.
  var given: [String] {
    [
      ("--skip", skip != nil), ("--switch-blocks", switchBlocks != nil),
      ("--segment", segment != nil), ("--overlap", overlap != nil),
    ].filter(\.1).map(\.0)
  }
}

extension BlockList: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}
