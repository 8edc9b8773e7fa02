import Kernels
import ModelFiles
import Restoration
import TensorCore
import Video

/// What the arguments come to: presets filled in, values checked, the processor asked.
struct Settings: Sendable {
  private let arguments: TDMFilter
  var input: InputDescription
  /// Nil is the embedded model.
  var model: String?
  /// Nil is the model's own.
  var controlNet: String?
  var precision: Precision
  /// Nil is one for each processor.
  var threads: Int?
  var isQuiet: Bool
  var sandbox: Sandbox
  var whenLate: WhenLate
  /// Of all buffers.
  var memory: MemoryLimits
  /// Frames that may wait for the computing.
  let incomingCapacity: Int

  /// - Throws: ``Failure`` of status `usage` where a value is out of its range or does not go with the others.
  init(_ arguments: TDMFilter) throws(Failure) {
    self.arguments = arguments
    // A model's own presets change none of what is asked here.
    let options = RestorationOptions(arguments, over: arguments.task.preset.values)
    do { try options.validate() } catch { throw Failure(error) }
    whenLate = arguments.program.whenLate
    if whenLate != .wait, options.chunk == 0 {
      throw Failure(
        .usage,
        "--when-late \(whenLate.rawValue): expected a --chunk of 1 or more, found 0, with which nothing leaves before "
          + "the clip's end; give a chunk, or --when-late wait")
    }
    // A frame waits while another is in work. Where a frame that finds no room is late, all that come while a chunk
    // is sampled need room, or frames would be late where the computing keeps up.
    incomingCapacity = whenLate == .wait ? 2 : max(2, options.chunk + 1)

    input = arguments.input.description
    if input.container == .y4m, input.size != nil || input.pixelFormat != nil {
      throw Failure(
        .usage,
        "\(input.size == nil ? "--pixel-format" : "--size") is for raw input, and a Y4M header tells it; leave it out, "
          + "or give --input-format raw")
    }

    if input.container == .raw, input.size == nil || input.pixelFormat == nil {
      // The reader would say so too, but only when the model is loaded and the first bytes are there.
      throw Failure(
        .usage,
        "raw frames do not say how they look: expected --size and --pixel-format, found "
          + (input.size != nil
            ? "no --pixel-format" : input.pixelFormat != nil ? "no --size" : "neither")
          + "; give both, as in --size 1920x1080 --pixel-format yuv420p")
    }

    let program = arguments.program
    guard program.threads.map({ (1...1024).contains($0) }) != false else {
      throw Failure(.usage, "--threads \(program.threads!): expected 1 to 1024")
    }
    threads = program.threads
    if program.precision == .bf16, !CPUDevice.supportsBF16 {
      throw Failure(
        .usage,
        "--precision bf16: expected a processor with AVX-512, found \(CPUDevice.instructionSet); "
          + "leave it out, or give --precision f32")
    }
    memory = MemoryLimits(
      total: program.memory?.bytes ?? MachineMemory.available.map { $0 / 4 * 3 },
      features: program.cacheMemory?.bytes)
    precision = program.precision ?? (CPUDevice.favoursBF16 ? .bf16 : .f32)
    isQuiet = program.quiet
    sandbox = program.sandbox
    model = arguments.task.model
    controlNet = arguments.task.controlNet
    if controlNet != nil, model == nil {
      throw Failure(
        .usage, "--controlnet goes with --model: expected the model that it was made for; give both"
      )
    }
  }

  /// The model that was asked for.
  func openModel() throws(ModelError) -> ModelFolder {
    guard let model else { return try .embedded() }
    return try ModelFolder(path: model, controlNet: controlNet)
  }

  /// How this model is to restore.
  func options(for model: ModelFolder) throws -> RestorationOptions {
    let options = RestorationOptions(
      arguments, over: try arguments.task.preset.values(for: model))
    try options.validate()
    return options
  }
}

extension RestorationOptions {
  /// The preset's values, and over them those given by hand.
  fileprivate init(_ arguments: TDMFilter, over values: PresetValues) {
    self.init(values)
    task = arguments.task.task

    let given = arguments.restoration
    radius = given.radius ?? radius
    chunk = given.chunk ?? chunk
    lookahead = given.lookahead ?? lookahead
    inversionSteps = given.inversionSteps ?? inversionSteps
    steps = given.steps ?? steps
    strength = given.strength ?? strength
    guidance = given.guidance ?? guidance
    prompt = given.prompt ?? prompt
    negativePrompt = given.negativePrompt ?? negativePrompt
    controlScale = given.controlScale ?? controlScale
    colorFix = given.colorFix ?? colorFix
    sceneCut = given.sceneCut ?? sceneCut

    let ablations = arguments.ablations
    attention = ablations.attention ?? attention
    start = ablations.start ?? start
    seed = ablations.seed ?? seed
    inversionControlScale = ablations.inversionControlScale ?? inversionControlScale
    inversionPrompt = ablations.inversionPrompt ?? inversionPrompt
    windowInControlNet = ablations.windowInControlNet
  }
}
