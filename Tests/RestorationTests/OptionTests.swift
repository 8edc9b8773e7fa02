import ModelFiles
import Testing

@testable import Diffusion
@testable import Restoration

@Suite struct OptionTests {
  /// A thousand levels, of which the last holds no signal.
  private static func schedule(_ prediction: SchedulerConfig.PredictionType) throws -> NoiseSchedule
  {
    try NoiseSchedule(
      alphaBars: (0..<1000).map { 0.999 - 0.001 * Double($0) }, setAlphaToOne: true,
      prediction: prediction)
  }
  private static let schedule = Result { try schedule(.vPrediction) }

  @Test("Every preset's options are valid", arguments: Preset.allCases)
  func presetsAreValid(_ preset: Preset) throws {
    let options = RestorationOptions(preset.values)
    try options.validate()
    try options.validate(for: Self.schedule.get())
    for name in [
      "--inversion-steps", "--steps", "--strength", "--radius", "--fusion", "--chunk",
      "--lookahead",
    ] {
      #expect(preset.values.summary.contains("\(name) "))
    }
  }

  @Test("The paper's preset has the paper's numbers")
  func paper() {
    let options = RestorationOptions(Preset.paper.values)
    #expect(options.inversionSteps == 10 && options.steps == 32)
    #expect(options.radius == 3 && options.lookahead == 3)
    #expect(options.guidance == 1 && options.strength == 1)
  }

  @Test("The live preset waits for no later frame")
  func live() {
    let options = RestorationOptions(Preset.live.values)
    #expect(options.chunk == 1 && options.lookahead == 0)
  }

  @Test("A preset's fusion is for tasks that gain by it, and some have a radius of their own")
  func fusion() {
    var values = Preset.live.values
    values.fusion = 2
    values.history = 30
    values.taskFusion = [.derain: 4, .deartifact: 1]
    #expect(values.summary.contains(" --fusion 2 (derain: 4, deartifact: 1) --history 30 "))
    values.taskRadius = [.derain: 1]
    values.workSize = 500
    values.taskWorkSize = [.dehaze: 300]
    values.controlScale = 0
    values.taskEvenVeil = [.dehaze: true, .derain: false]
    for task in RestorationTask.allCases {
      let options = RestorationOptions(values, task: task)
      #expect(options.task == task && options.fusionNoise == task.fusionNoise)
      let fusion = [RestorationTask.denoise: 2, .deartifact: 1, .derain: 4]
      #expect(options.fusion == fusion[task] ?? 0, "\(task)")
      #expect(options.history == (task == .denoise ? 30 : 0), "\(task)")
      #expect(options.radius == (task == .derain ? 1 : 3), "\(task)")
      #expect(options.controlScale == 0 && !options.usesControl)
      #expect(options.evenVeil == (task == .dehaze))
      #expect(options.workSize == (task == .dehaze ? 300 : task == .superres ? 0 : 500), "\(task)")
    }
    #expect(RestorationOptions(values).task == .denoise && RestorationOptions(values).fusion == 2)
  }

  @Test("Tasks are known by name and alias")
  func tasks() {
    for task in RestorationTask.allCases {
      for name in [task.rawValue] + task.aliases { #expect(RestorationTask(name: name) == task) }
    }
    #expect(RestorationTask(name: "mp4") == .deartifact)
    #expect(RestorationTask(name: "sr") == .superres)
    #expect(RestorationTask(name: "Denoise") == nil && RestorationTask(name: "") == nil)
    #expect(RestorationTask.superres.enlargement == 4 && RestorationTask.denoise.enlargement == 1)
  }

  @Test("A prompt by hand stands in place of the task's")
  func prompts() {
    var options = RestorationOptions()
    options.task = .dehaze
    #expect(options.taskPrompt == "remove the fog" && options.promptOfInversion == "")
    options.prompt = ""
    #expect(options.taskPrompt == "")
    options.prompt = "a cat"
    options.inversionPrompt = .task
    #expect(options.taskPrompt == "a cat" && options.promptOfInversion == "a cat")
  }

  @Test(
    "A value out of its range is refused with the option's name",
    arguments: [
      OptionCase("--radius") { $0.radius = -1 }, OptionCase("--radius") { $0.radius = 65 },
      OptionCase("--fusion") { $0.fusion = -1 }, OptionCase("--fusion") { $0.fusion = 17 },
      OptionCase("--history") { $0.history = -1 }, OptionCase("--history") { $0.history = 1001 },
      OptionCase("--fusion") {
        $0.fusion = 6
        $0.task = .deartifact
      },
      OptionCase("--fusion-noise") { $0.fusionNoise = -1 },
      OptionCase("--work-size") { $0.workSize = 63 },
      OptionCase("--work-size") { $0.workSize = 16385 },
      OptionCase("--work-size") { $0.workSize = -1 },
      OptionCase("--work-size") {
        $0.workSize = 400
        $0.task = .superres
      },
      OptionCase("--fusion-noise") { $0.fusionNoise = .nan },
      OptionCase("--chunk") { $0.chunk = -1 }, OptionCase("--lookahead") { $0.lookahead = -2 },
      OptionCase("--inversion-steps") { $0.inversionSteps = -1 },
      OptionCase("--steps") { $0.steps = 1001 }, OptionCase("--strength") { $0.strength = 0 },
      OptionCase("--strength") { $0.strength = 1.01 },
      OptionCase("--strength") { $0.strength = .nan },
      OptionCase("--guidance") { $0.guidance = .infinity },
      OptionCase("--guidance") { $0.guidance = -1 },
      OptionCase("--control-scale") { $0.controlScale = .nan },
      OptionCase("--inversion-control-scale") { $0.inversionControlScale = -0.1 },
    ])
  func rangesAreChecked(_ option: OptionCase) {
    var options = RestorationOptions()
    option.change(&options)
    let error = #expect(throws: OptionError.self) { try options.validate() }
    #expect(error?.description.hasPrefix("\(option.testDescription) ") == true)
    #expect(error?.description.contains("expected") == true)
    #expect(error?.description.contains("\n") == false)
  }

  @Test("More moves than the model has noise levels are refused")
  func levelsAreChecked() throws {
    var options = RestorationOptions(Preset.paper.values)
    options.strength = 0.02
    #expect(throws: OptionError.self) { try options.validate(for: Self.schedule.get()) }
    options.steps = 20
    try options.validate(for: Self.schedule.get())
    options.strength = 0.0004
    let error = #expect(throws: OptionError.self) { try options.validate(for: Self.schedule.get()) }
    #expect(error?.description.hasPrefix("--strength 0.0004: expected 0.0005") == true)
  }

  @Test(
    "Noise cannot be predicted where no signal is left: a strength that begins there is refused")
  func levelWithoutSignal() throws {
    var options = RestorationOptions(Preset.paper.values)
    for prediction in SchedulerConfig.PredictionType.allCases {
      let schedule = try Self.schedule(prediction)
      options.strength = 0.999
      try options.validate(for: schedule)
      options.strength = 1
      if prediction == .epsilon {
        let error = #expect(throws: OptionError.self) { try options.validate(for: schedule) }
        #expect(error?.description.hasPrefix("--strength 1") == true)
      } else {
        try options.validate(for: schedule)
      }
    }
  }
}
