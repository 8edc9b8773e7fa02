import ArgumentParser
import Logging

/// What the program tells of itself.
struct StatusArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Write events to this descriptor, as JSON Lines; see tdm-protocol(7).", valueName: "N"),
    transform: wholeNumber)
  var statusFd: Int?

  @Option(
    help: ArgumentHelp(
      "Listen for clients on a Unix socket at this path; see tdm-protocol(7).", valueName: "path"))
  var control: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How many frames will come, where they come by a pipe: progress then says how long it will take. (default: what a file's length says)",
      valueName: "N"),
    transform: wholeNumber)
  var expectedFrames: Int?

  @Flag(
    help: "Write progress to stderr as ffmpeg's -progress does, in blocks of key=value lines.")
  var progress = false

  @Option(
    help: ArgumentHelp(
      "The lowest level of message that is written to stderr. (default: info)",
      valueName: "level"))
  var logLevel: LogLevel?

  @Flag(help: "Write nothing to stderr but errors: --log-level error, and no progress.")
  var quiet = false
}

/// Levels of messages, as swift-log has them.
enum LogLevel: String, CaseIterable, ExpressibleByArgument {
  case trace, debug, info, notice, warning, error

  var level: Logger.Level { Logger.Level(rawValue: rawValue)! }
}
