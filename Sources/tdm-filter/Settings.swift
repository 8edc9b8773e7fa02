import ControlProtocol
import Glibc
import Kernels
import Logging
import ModelFiles
import Restoration
import TensorCore
import Video

/// What the arguments come to: presets filled in, values checked, the processor asked.
struct Settings: Sendable {
  private(set) var arguments: TDMFilter
  let input: InputDescription
  /// Nil is the embedded model.
  let model: String?
  /// Nil is the model's own.
  let controlNet: String?
  let precision: Precision
  /// Nil is one for each processor.
  let threads: Int?
  var preset: Preset
  let logLevel: Logger.Level
  let outlets: StatusReporter.Outlets
  /// How many frames will come, as far as anybody says.
  let expectedFrames: Int?
  /// Where clients find the program; nil for none.
  let controlPath: String?
  let sandbox: Sandbox
  let whenLate: WhenLate
  /// Of all buffers.
  let memory: MemoryLimits

  /// - Throws: ``Failure`` of status `usage` where a value is out of its range or does not go with
  ///   the others.
  init(_ arguments: TDMFilter) throws(Failure) {
    self.arguments = arguments
    // What a model's own presets say is checked with the model: see options(for:).
    preset = arguments.task.preset ?? .balanced
    try Self.check(arguments)
    let options = RestorationOptions(arguments, over: preset.values)
    do { try options.validate() } catch { throw Failure(error) }
    whenLate = arguments.program.whenLate

    input = arguments.input.description
    do { try input.validate() } catch { throw Failure(error) }

    let program = arguments.program
    if let threads = program.threads, !(1...1024).contains(threads) {
      throw Failure(.usage, "--threads \(threads): expected 1 to 1024")
    }
    let share = MachineShare()
    threads = program.threads ?? share.processors.map { min($0, CPUDevice.processorCount) }
    if program.precision == .bf16, !CPUDevice.supportsBF16 {
      throw Failure(
        .usage,
        "--precision bf16: expected a processor with AVX-512, found \(CPUDevice.instructionSet); "
          + "leave it out, or give --precision f32")
    }
    memory = MemoryLimits(
      total: program.memory?.bytes ?? share.memory.map { $0 / 4 * 3 },
      features: program.cacheMemory?.bytes)
    controlPath = arguments.status.control
    expectedFrames = arguments.status.expectedFrames
    if let expectedFrames, expectedFrames < 1 {
      throw Failure(.usage, "--expected-frames \(expectedFrames): expected 1 or more")
    }
    (logLevel, outlets) = try Self.status(arguments.status)
    precision = program.precision ?? (CPUDevice.favoursBF16 ? .bf16 : .f32)
    sandbox = program.sandbox
    model = arguments.task.model
    controlNet = arguments.task.controlNet
    if controlNet != nil, model == nil {
      throw Failure(
        .usage, "--controlnet goes with --model: expected the model that it was made for; give both"
      )
    }
    if arguments.restoration.chunk != nil { try whenLate.check(options) }
  }

  /// - Throws: where an option is of another method than the one that was chosen.
  private static func check(_ arguments: TDMFilter) throws(Failure) {
    let method = arguments.task.method
    let others: [String] =
      switch method {
      case .tdm: arguments.zeroShot.given
      case .zeroShot:
        (arguments.task.preset == nil ? [] : ["--preset"])
          + (arguments.task.controlNet == nil ? [] : ["--controlnet"])
          + (arguments.program.cacheMemory == nil ? [] : ["--cache-memory"])
          + arguments.restoration.givenForTDM + arguments.ablations.givenForTDM
      }
    if let other = others.first {
      let reader = RestorationOptions.Method.allCases.first { $0 != method }!
      throw Failure(
        .usage,
        "\(other) is for --method \(reader.rawValue), found --method \(method.rawValue); leave one of them out"
      )
    }
    if method == .zeroShot, arguments.task.model == nil {
      throw Failure(
        .usage,
        "--method zero-shot: expected --model with a CogVideoX folder, for none is embedded; give both"
      )
    }
  }

  /// What is told of the run, and where.
  private static func status(
    _ arguments: StatusArguments
  ) throws(Failure) -> (Logger.Level, StatusReporter.Outlets) {
    if arguments.quiet, let level = arguments.logLevel, level != .error {
      throw Failure(
        .usage,
        "--quiet is --log-level error: found --log-level \(level.rawValue) beside it; give one of them"
      )
    }
    if arguments.quiet, arguments.progress {
      throw Failure(.usage, "--progress writes to stderr and --quiet nothing; give one of them")
    }
    // Before anything else is opened, by whose number it might be.
    var descriptor: Int32?
    if let number = arguments.statusFd {
      // A descriptor's number is an Int32; fcntl tells whether it is one that can be written.
      let flags = Int32(exactly: number).map { fcntl($0, F_GETFL) } ?? -1
      guard number != STDIN_FILENO, flags >= 0, flags & O_ACCMODE != O_RDONLY,
        !carriesFrames(Int32(number))
      else {
        throw Failure(
          .usage,
          "--status-fd \(number): expected a descriptor that is open for writing and carries no frames; open it, as in "
            + "--status-fd 3 3>status.jsonl")
      }
      descriptor = Int32(number)
    }
    var outlets = StatusReporter.Outlets(descriptor: descriptor)
    if arguments.progress {
      outlets.display = .blocks
    } else if !arguments.quiet {
      outlets.display = outlets.messages.isTerminal ? .line : .lines
    }
    return (arguments.quiet ? .error : arguments.logLevel?.level ?? .info, outlets)
  }

  /// Whether it is stdout, or leads where that does; a device, as the one for what nobody wants,
  /// may have both.
  private static func carriesFrames(_ descriptor: Int32) -> Bool {
    var (own, frames) = (stat(), stat())
    guard descriptor != STDOUT_FILENO else { return true }
    return fstat(descriptor, &own) == 0 && fstat(STDOUT_FILENO, &frames) == 0
      && (own.st_dev, own.st_ino) == (frames.st_dev, frames.st_ino)
      && own.st_mode & S_IFMT != S_IFCHR
  }

  /// The model that was asked for.
  func openModel() throws(ModelError) -> ModelFolder {
    if let model { return try ModelFolder(path: model, controlNet: controlNet) }
    return try ModelFolder.embedded()
  }

  var method: RestorationOptions.Method { arguments.task.method }

  /// Whether clients may have frames restored by another task or preset.
  var isChangeable: Bool { controlPath != nil && method == .tdm }

  /// What is wrong with the frames.
  var task: RestorationTask {
    arguments.task.task ?? (method == .zeroShot ? .derain : .denoise)
  }

  /// How frames are to be restored where the preset stands for these values.
  func options(over values: PresetValues) -> RestorationOptions {
    RestorationOptions(arguments, over: values)
  }

  /// The settings with which the change had been on the command line.
  func applying(_ change: OptionChange) -> Settings {
    var changed = self
    if let task = change.task { changed.arguments.task.task = task }
    if let preset = change.preset {
      changed.arguments.task.preset = preset
      changed.preset = preset
    }
    change.prompt.apply(to: &changed.arguments.restoration.prompt)
    change.strength.apply(to: &changed.arguments.restoration.strength)
    change.guidance.apply(to: &changed.arguments.restoration.guidance)
    change.amount.apply(to: &changed.arguments.restoration.amount)
    return changed
  }

  /// How this model is to restore.
  func options(for model: ModelFolder) throws -> RestorationOptions {
    let options = self.options(over: try preset.values(for: model, task: task))
    try options.validate()
    try whenLate.check(options)
    return options
  }
}

extension Settings {
  /// Gives up the right to change files, but for the control socket's. To be called before any
  /// thread is started.
  func forbidChanges(_ logger: Logger) {
    if let refusal = sandbox.forbidChanges(besides: controlPath.map(ControlSocket.folder(of:))) {
      logger.notice("\(refusal)")
    }
  }

  /// Gives up the right to open anything more.
  func forbidOpenings(_ logger: Logger) {
    if let refusal = sandbox.forbidOpenings(keepsRemoving: controlPath != nil) {
      logger.notice("\(refusal)")
    }
  }

  /// Where messages for a person go.
  func logger() -> Logger {
    Logger(label: "tdm-filter") { _ in MessageHandler(outlets.messages, level: logLevel) }
  }

  /// Who tells of the run.
  func reporter() throws(Failure) -> StatusReporter {
    var notifier: ServiceNotifier?
    var unreachable: String?
    do {
      notifier = try ServiceNotifier { name in getenv(name).map { String(cString: $0) } }
    } catch { unreachable = error.description }
    let reporter = try StatusReporter(outlets, logger: logger(), notifier: notifier)
    if let unreachable { reporter.warn(unreachable) }
    return reporter
  }
}
