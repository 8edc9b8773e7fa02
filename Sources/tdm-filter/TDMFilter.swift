import ArgumentParser
import CProcess
import Glibc
import Logging
import ModelFiles
import Restoration
import TensorCore
import Video

/// The command: arguments are parsed, then resolved to ``Settings``, and then frames flow.
@main
struct TDMFilter: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tdm-filter",
    abstract:
      "Restores video by latent diffusion: frames in on stdin, as many out on stdout, in the same format.",
    discussion: discussion,
    version: BuildFacts.text)

  static let version = "0.1.0"

  @OptionGroup(title: "What to do")
  var task: TaskArguments

  @OptionGroup(title: "Frames")
  var input: InputArguments

  @OptionGroup(title: "How it is done")
  var restoration: RestorationArguments

  @OptionGroup(title: "Comparisons with the paper's variants")
  var ablations: AblationArguments

  @OptionGroup(title: "Zero-shot deraining")
  var zeroShot: ZeroShotArguments

  @OptionGroup(title: "The program")
  var program: ProgramArguments

  @OptionGroup(title: "What it tells")
  var status: StatusArguments

  /// Parses, runs, and ends the process with the documented status. Nothing is left to be written
  /// then, so that the process can end at once whatever other threads are at.
  static func main() {
    openClosedErrors()
    // oneDNN would tell of itself on stdout, among the frames.
    unsetenv("DNNL_VERBOSE")
    unsetenv("ONEDNN_VERBOSE")
    StopSignal.block()
    StopSignal.leaveFailuresToWrites()
    LibraryEnvironment.set()
    tdm_end_on_fault(ProgramStatus.internalFault.rawValue)
    _ = tdm_take_fault_stack()
    AlignedMemory.whenRefused.withLock { $0 = { Ending.because(of: Failure($0)) } }
    refuseArgumentsThatAreNotText()
    do {
      var command = try parseAsRoot(CommandLine.arguments.dropFirst().flatMap(words))
      guard let filter = command as? TDMFilter else {
        // --help is a command of its own, which throws what is to be printed.
        return try command.run()
      }
      do { try filter.restore() } catch { Ending.because(of: Failure(error)) }
      _exit(ProgramStatus.done.rawValue)
    } catch  where exitCode(for: error).isSuccess {
      // --help and --version.
      do { try tell(fullMessage(for: error, columns: 120)) } catch {
        Ending.because(of: Failure(error))
      }
      _exit(ProgramStatus.done.rawValue)
    } catch {
      let line = inOneLine(message(for: error))
      // As many programs are called.
      let advice =
        line.lowercased().contains("unexpected argument") || line.contains("'-i'")
        ? "frames come on stdin and leave on stdout, as in tdm-filter < in.y4m > out.y4m"
        : "tdm-filter --help tells all options"
      Ending.because(of: Failure(.usage, "\(line) (\(advice))"))
    }
  }

  /// Swift would have others than were given in the place of bytes that are not UTF-8, and with
  /// them the name of another file.
  private static func refuseArgumentsThatAreNotText() {
    for index in 0..<Int(CommandLine.argc)
    where String(validatingCString: CommandLine.unsafeArgv[index]!) == nil {
      Ending.because(
        of: Failure(
          .usage,
          "argument \(index), \(CommandLine.arguments[index]): expected UTF-8; rename what it names, or give a link to it"
        ))
    }
  }

  /// An option whose value the parser would not find behind its `=` goes as two words: an empty
  /// one, and one that begins with a mark, which makes one character with the `=`.
  private static func words(_ argument: String) -> [String] {
    guard argument.hasPrefix("--"), let end = argument.utf8.firstIndex(of: UInt8(ascii: "=")) else {
      return [argument]
    }
    let value = argument.utf8[argument.utf8.index(after: end)...]
    guard value.isEmpty || argument.firstIndex(of: "=") != end else { return [argument] }
    return [String(argument.utf8[..<end]), String(value)].compactMap { $0 }
  }

  /// Writes lines to stdout that are no frames.
  private static func tell(_ lines: String) throws(VideoError) {
    let sink = ByteSink(descriptor: STDOUT_FILENO)
    try sink.write(lines + "\n")
    try sink.finish()
  }

  /// Gives a closed stderr somewhere to go. Its number would else be that of the first socket or
  /// file that is opened, and messages would be written there.
  private static func openClosedErrors() {
    guard fcntl(STDERR_FILENO, F_GETFD) < 0 else { return }
    // stdin and stdout may be closed, too, and are told of: they stay so.
    let null = open("/dev/null", O_WRONLY)
    guard null >= 0, null != STDERR_FILENO else { return }
    dup2(null, STDERR_FILENO)
    close(null)
  }

  /// Lists of values come with a line for each.
  private static func inOneLine(_ message: String) -> String {
    message.replacing(":\n  - ", with: ": ").replacing("\n  - ", with: ", ")
  }

  private func dryRun(_ settings: Settings) throws {
    // A header tells the size, where the options do not.
    guard isatty(STDIN_FILENO) == 0 || settings.input.container == .raw else {
      throw Failure(
        .usage,
        "stdin is a terminal: expected a stream's header; give the stream, or --input-format raw with --size and "
          + "--pixel-format")
    }
    // Nothing has to be finished: signals end it as they end any program.
    StopSignal.unblock()
    let logger = settings.logger()
    settings.forbidChanges(logger)
    try Self.tell(try RunPlan(settings, logger).text)
  }

  private func restore() throws {
    let settings = try Settings(self)
    if program.dryRun { return try dryRun(settings) }
    // A closed descriptor's number would go to the first file or pipe that is opened.
    for (descriptor, name) in [(STDIN_FILENO, "stdin"), (STDOUT_FILENO, "stdout")]
    where fcntl(descriptor, F_GETFD) < 0 {
      throw Failure(.inputOutput, "\(name) is closed: expected a pipe or a file")
    }
    guard isatty(STDIN_FILENO) == 0 else {
      throw Failure(
        .usage,
        "stdin is a terminal: expected frames; give them by a pipe, as in "
          + "ffmpeg -i in.mp4 -strict -1 -f yuv4mpegpipe - | tdm-filter | ffmpeg -y -i - out.mp4")
    }
    guard isatty(STDOUT_FILENO) == 0 else {
      throw Failure(
        .usage,
        "stdout is a terminal, which frames would garble; give it a reader or a file, as in "
          + "tdm-filter < in.y4m > out.y4m")
    }
    let reporter = try settings.reporter()
    let path = try FramePath(settings, reporter)
    let socket = try settings.controlPath.map(ControlSocket.init(path:))
    if let socket { Ending.remove(socket) }
    // Before any thread is started: they inherit what is blocked and what is given up.
    settings.forbidChanges(reporter.logger)
    try path.takeSignals()
    let server = socket.map { ControlServer($0, path.desk, reporter) }
    if let server { reporter.observe(by: server.send) }
    try reporter.run()
    do {
      try server?.start()
      reporter.end(try path.run())
      server?.end()
    } catch {
      let failure = Failure(error)
      reporter.end(error is Quit ? .quit : .error, failure)
      server?.end()
      throw failure
    }
  }
}

extension TDMFilter {
  private static var discussion: String {
    let embedded = try? ModelFolder.embedded()
    let presets = Preset.allCases.map { preset in
      let own = embedded.flatMap { try? preset.ownValues(of: $0) }
      // What does not fit into a line goes on below its beginning.
      let values = [" --history", " --work-size"].reduce((own ?? preset.values).summary) {
        $0.split(separator: $1).joined(separator: "\n           \($1)")
      }
      return "  " + (preset.rawValue + ":").padded(to: 10) + values
    }
    return """
      ffmpeg -i in.mp4 -strict -1 -f yuv4mpegpipe - | tdm-filter --task denoise | ffmpeg -y -i - out.mp4

      Tasks: denoise, for noise of sensors and tape and grain; derain, for streaks of rain in the air; dehaze, for haze and fog; \
      deartifact or mp4, for blocks and fringes that a hard encode left; superres or sr, for pictures that are too small, to four times \
      their width and height.

      Presets are sets of option values, here for the embedded model (superres, denoise and deartifact are done by networks of their own, \
      see --dry-run):
      \(presets.joined(separator: "\n"))

      --method zero-shot --model FOLDER derains by CogVideoX-2b or a model like it (arXiv 2511.18537): hours of computing for seconds \
      of video.

      SIGINT or SIGTERM: reading ends, what was read is finished; a second one ends at once.

      Exit status: 0 done, 64 usage, 65 bad stream, 66 model missing or unfit, 70 internal fault, 71 not enough memory, 74 input or \
      output failed, 75 the reader of stdout went away, 130 or 143 a second SIGINT or SIGTERM, or a client's quit.
      """
  }
}
