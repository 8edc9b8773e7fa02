import Foundation
import ModelFiles
import Restoration
import Testing

@testable import tdm_filter

@Suite("The command line")
struct UsageTests {
  @Test(
    "takes a value behind = as it takes one that is a word of its own",
    arguments: ["", "\u{301}a", "a=b"])
  func values(value: String) throws {
    let options = try Tiny.model() + Tiny.steps
    let input = Y4M().stream(frames: 1)
    let joined = try FilterProcess.run(options + ["--prompt=" + value], input: input)
    let apart = try FilterProcess.run(options + ["--prompt", value], input: input)
    #expect(joined.status == 0 && apart.status == 0, "\(joined.errors)")
    #expect(joined.output == apart.output)
    #expect(try joined.output != FilterProcess.run(options, input: input).output)
  }

  @Test(
    "refuses what it cannot understand with one line and status 64",
    arguments: [
      (["--task", "defog"], ["--task", "defog", "denoise", "superres"]),
      (["--model"], ["--model"]),
      (["--bogus"], ["--bogus"]),
      (["in.y4m"], ["in.y4m", "tdm-filter < in.y4m > out.y4m"]),
      (["-i", "in.y4m"], ["-i", "tdm-filter < in.y4m > out.y4m"]),
      (["--input-format", "raw"], ["--size"]),
      (["--input-format", "raw", "--size", "64x48"], ["--pixel-format"]),
      (["--size", "64"], ["--size", "64", "WxH"]),
      (["--size", "0x48"], ["--size", "0x48"]),
      (["--pixel-format", "yuv421p"], ["--pixel-format", "yuv421p"]),
      (["--input-format", "y4m", "--size", "64x48"], ["--size"]),
      (["--preset", "fast"], ["--preset", "fast", "balanced"]),
      (["--steps", "0"], ["--steps", "0", "1000"]),
      (["--steps", "many"], ["--steps", "many", "expected a whole number"]),
      (["--amount", "half"], ["--amount", "half", "expected a number"]),
      (["--steps", "9999999999999999999"], ["--steps", "expected at most 9223372036854775807"]),
      (["--seed", "-1"], ["--seed", "-1", "expected a whole number, 0 or more"]),
      (["--memory", "much"], ["--memory", "much", "expected a size", "6G"]),
      (["--strength", "-1"], ["--strength", "-1"]),
      (["--strength", "1.01"], ["--strength", "1.01"]),
      (["--amount", "2.5"], ["--amount 2.5", "0.0 to 2.0"]),
      (["--radius", "-3"], ["--radius", "-3"]),
      (["--threads", "0"], ["--threads", "0"]),
      (["--precision", "f16"], ["--precision", "f16", "bf16"]),
      (["--attention", "global"], ["--attention", "global", "window"]),
      (["--rate", "25/0"], ["--rate", "25/0"]),
      (["--seed", "9223372036854775808"], ["--seed", "9223372036854775807"]),
      (["--method", "zero-shot"], ["--method", "--model", "CogVideoX"]),
      (["--method", "zeroshot"], ["--method", "zeroshot", "zero-shot"]),
      (["--method", "zero-shot", "--model", "m", "--radius", "2"], ["--radius", "--method tdm"]),
      (
        ["--method", "zero-shot", "--model", "m", "--preset", "live"], ["--preset", "--method tdm"]
      ),
      (["--method", "zero-shot", "--model", "m", "--attention", "self"], ["--attention"]),
      (
        ["--method", "zero-shot", "--model", "m", "--task", "dehaze"],
        ["--task", "dehaze", "derain"]
      ),
      (["--method", "zero-shot", "--model", "m", "--skip", "100"], ["--skip", "100", "99"]),
      (
        ["--method", "zero-shot", "--model", "m", "--switch-blocks", "3-1"],
        ["--switch-blocks", "3-1"]
      ),
      (["--segment", "9"], ["--segment", "--method zero-shot"]),
      (["--controlnet", "folder"], ["--controlnet", "--model"]),
    ])
  func refusal(arguments: [String], parts: [String]) throws {
    let result = try FilterProcess.run(arguments)
    expectFailure(result, .usage, saying: parts)
    #expect(result.output.isEmpty)
  }

  /// What both methods read, what belongs to neither, and what only zero-shot deraining reads; all
  /// others are only --method tdm's.
  private static let sharedOptions: Set<String> = [
    "--task", "--method", "--model", "--steps", "--guidance", "--amount", "--negative-prompt",
    "--seed",
    "--input-format", "--size", "--pixel-format", "--rate", "--matrix", "--range", "--precision",
    "--threads", "--dry-run", "--when-late", "--sandbox", "--memory", "--status-fd", "--control",
    "--expected-frames",
    "--progress", "--log-level", "--quiet", "--version", "--help",
  ]
  private static let zeroShotOptions: Set<String> = [
    "--skip", "--switch-blocks", "--segment", "--overlap",
  ]

  @Test("refuses every option that the method does not read, none is passed over")
  func otherMethods() throws {
    // Of those that do not take a 1.
    let values = [
      "--preset": ["live"], "--attention": ["self"], "--start": ["noise"],
      "--inversion-prompt": ["task"], "--color-fix": ["wavelet"], "--scene-cut": ["off"],
      "--window-in-controlnet": [],
    ]
    let options = TDMFilter.longOptions
    #expect(options.isSuperset(of: Self.sharedOptions.union(Self.zeroShotOptions)))
    for option in options.subtracting(Self.sharedOptions) {
      let (method, reader) =
        Self.zeroShotOptions.contains(option) ? ("tdm", "zero-shot") : ("zero-shot", "tdm")
      let words = ["--method", method, "--model", "m", option] + (values[option] ?? ["1"])
      let failure = #expect(throws: Failure.self, "\(option)") { try settings(words) }
      #expect(failure?.status == .usage)
      #expect(
        failure?.description.hasPrefix("\(option) is for --method \(reader),") == true,
        "\(option): \(failure?.description ?? "accepted")")
    }
  }

  @Test(
    "tells its version and its help on stdout, with status 0", arguments: ["--version", "--help"])
  func help(option: String) throws {
    let result = try FilterProcess.run([option])
    #expect(result.status == 0)
    #expect(result.errors.isEmpty)
    #expect(String(decoding: result.output, as: UTF8.self).contains("tdm-filter"))
  }

  @Test("tells how frames come where files are named, and refuses names that it could not pass on")
  func names() throws {
    for names in [["in.mp4"], ["in.mp4", "out.mp4"], ["-i", "in.mp4"]] {
      expectFailure(try FilterProcess.run(names), .usage, saying: ["tdm-filter < in.y4m > out.y4m"])
    }
    let result = try FilterProcess.pipeline("$TDM_FILTER --model $'folder\\xe9' < /dev/null")
    expectFailure(result, .usage, saying: ["argument 2", "expected UTF-8"])
  }

  @Test("shows in its help what every preset means")
  func presets() throws {
    let model = try ModelFolder.embedded()
    // However it is broken into lines.
    let help = TDMFilter.helpMessage(columns: 120).split(whereSeparator: \.isWhitespace)
      .joined(separator: " ")
    for preset in Preset.allCases {
      #expect(help.contains(try preset.ownValues(of: model).summary))
    }
  }

  @Test("takes what is not given from the preset", arguments: Preset.allCases)
  func preset(preset: Preset) throws {
    let model = try ModelFolder.embedded()
    let options = try settings(["--preset", preset.rawValue]).options(for: model)
    #expect(try options == preset.options(for: model))
  }

  @Test("lets options given by hand win over the preset, wherever they stand")
  func overriding() throws {
    let settings = try settings(
      ["--steps", "5", "--preset", "paper", "--lookahead", "0", "--task", "sr", "--prompt", ""])
    let model = try ModelFolder.embedded()
    var expected = try Preset.paper.options(for: model, task: .superres)
    expected.steps = 5
    expected.lookahead = 0
    expected.prompt = ""
    #expect(try settings.options(for: model) == expected)
  }

  @Test(
    "runs the model within the model that the preset says for the task, unless a ControlNet is given"
  )
  func inner() throws {
    func used(_ words: String...) throws -> (model: String, radius: Int) {
      let settings = try settings(words)
      let model = try settings.openModel()
      let options = try settings.options(for: model)
      return (try options.model(within: model).name, options.radius)
    }
    let embedded = try ModelFolder.embedded().name
    #expect(try used().model == embedded + "/denoise")
    #expect(try used("--task", "derain").model == embedded)
    let denoisers = [
      Preset.balanced: embedded + "/denoise", .live: embedded + "/live", .paper: embedded,
    ]
    for preset in Preset.allCases {
      #expect(
        try used("--preset", preset.rawValue, "--task", "sr").model == embedded + "/superres")
      #expect(try used("--preset", preset.rawValue).model == denoisers[preset])
    }
    try withPresets(#"{"live": {"radius": 1, "task_model": {"denoise": "fast"}}}"#) { path in
      #expect(try used("--model", path) == (path, 3))
      let error = #expect(throws: ModelError.self) {
        try used("--model", path, "--preset", "live")
      }
      #expect(error?.description.contains("fast: expected a model's folder") == true)
      try withPresets(#"{"live": {"radius": 2}}"#) { inner in
        try FileManager.default.copyItem(atPath: inner, toPath: path + "/fast")
      }
      #expect(try used("--model", path, "--preset", "live") == (path + "/fast", 2))
      #expect(try used("--model", path, "--preset", "live", "--task", "derain") == (path, 1))
      #expect(
        try used("--model", path, "--preset", "live", "--controlnet", path + "/fast") == (path, 1))
    }
  }

  @Test("leaves the ControlNet out where the preset says so, unless a scale is given")
  func controlScale() throws {
    try withPresets(#"{"balanced": {"control_scale": 0}}"#) { path in
      for (words, expected, summary) in [
        ([], 0, " --control-scale 0"), (["--control-scale", "0.5"], 0.5, " --control-scale 0.5"),
        (["--preset", "live"], 1, " --lookahead 0"),
      ] {
        let settings = try settings(["--model", path] + words)
        let options = try settings.options(for: settings.openModel())
        #expect(options.controlScale == expected, "\(words)")
        #expect(options.presetValues.summary.hasSuffix(summary), "\(words)")
      }
    }
  }

  @Test("fuses noisy frames as the preset says, and others where it is told to")
  func fusion() throws {
    try withPresets(#"{"balanced": {"fusion": 2}}"#) { path in
      for (words, expected, noise) in [
        ([], 2, 0), (["--task", "derain"], 0, 0), (["--task", "derain", "--fusion", "3"], 3, 0),
        (["--fusion", "0"], 0, 0), (["--preset", "paper"], 0, 0), (["--task", "mp4"], 0, 15),
        (["--task", "mp4", "--fusion", "4", "--fusion-noise", "2.5"], 4, 2.5),
        (["--task", "sr"], 0, 20),
      ] {
        let settings = try settings(["--model", path] + words)
        let options = try settings.options(for: settings.openModel())
        #expect(options.fusion == expected && options.fusionNoise == noise, "\(words)")
      }
    }
  }

  @Test(
    "fuses rainy frames where the preset says so of derain, and refuses tasks that there are not")
  func taskFusion() throws {
    func options(_ tasks: String, _ words: [String]) throws -> RestorationOptions {
      try withPresets(#"{"balanced": {"fusion": 3, "task_fusion": {\#(tasks)}}}"#) { path in
        let settings = try settings(["--model", path] + words)
        return try settings.options(for: settings.openModel())
      }
    }
    let derain = ["--task", "derain"]
    #expect(try options("", derain).fusion == 0)
    #expect(try options(#""derain": 2"#, []).fusion == 3)
    #expect(try options(#""derain": 2"#, derain).fusion == 2)
    #expect(try options(#""derain": 2"#, derain + ["--fusion", "1"]).fusion == 1)
    #expect(try options(#""denoise": 0"#, []).fusion == 0)
    let error = #expect(throws: ModelError.self) { try options(#""unrain": 2"#, []) }
    #expect(error?.description.contains("unrain") == true)
    #expect(try options(#""derain": 8"#, derain).fusion == 8)
    let excess = #expect(throws: ModelError.self) { try options(#""deartifact": 8"#, []) }
    #expect(
      excess?.description.contains("task_fusion: deartifact: expected 0 to 5, found 8") == true)
    // The mean of rain is rain.
    let refusal = #expect(throws: Failure.self) {
      try options("", derain + ["--history", "3"])
    }
    #expect(refusal?.description.contains("--history 3") == true)
  }

  @Test("averages noisy frames with what came before as the preset says, others where told to")
  func history() throws {
    try withPresets(#"{"balanced": {"fusion": 2, "history": 30}}"#) { path in
      for (words, expected) in [
        ([], 30), (["--task", "mp4"], 0), (["--task", "dehaze", "--history", "3"], 3),
        (["--history", "0"], 0), (["--preset", "paper"], 0),
      ] {
        let settings = try settings(["--model", path] + words)
        let options = try settings.options(for: settings.openModel())
        #expect(options.history == expected, "\(words)")
      }
      let own = try settings(["--model", path])
      let summary = try own.options(for: own.openModel()).presetValues.summary
      #expect(summary.contains(" --fusion 2 --history 30 --chunk "), "\(summary)")
    }
  }

  @Test("restores frames reduced for the task that the preset says so for, or where it is told to")
  func workSize() throws {
    try withPresets(#"{"balanced": {"task_work_size": {"dehaze": 320}}}"#) { path in
      for (words, expected) in [
        ([], 0), (["--task", "dehaze"], 320), (["--task", "dehaze", "--work-size", "0"], 0),
        (["--task", "dehaze", "--preset", "live"], 0), (["--work-size", "640"], 640),
      ] {
        let settings = try settings(["--model", path] + words)
        #expect(try settings.options(for: settings.openModel()).workSize == expected, "\(words)")
      }
    }
    let error = #expect(throws: Failure.self) { try settings(["--work-size", "8"]) }
    #expect(error?.description.contains("--work-size 8") == true)
  }

  @Test("takes the radius that the preset says for the task, and refuses tasks that there are not")
  func taskRadius() throws {
    func radius(_ tasks: String, _ words: [String]) throws -> Int {
      try withPresets(#"{"balanced": {"radius": 1, "task_radius": {\#(tasks)}}}"#) { path in
        let settings = try settings(["--model", path] + words)
        return try settings.options(for: settings.openModel()).radius
      }
    }
    #expect(try radius(#""derain": 2"#, []) == 1)
    #expect(try radius(#""derain": 2"#, ["--task", "derain"]) == 2)
    #expect(try radius(#""derain": 2"#, ["--task", "derain", "--radius", "5"]) == 5)
    let error = #expect(throws: ModelError.self) { try radius(#""unrain": 2"#, []) }
    #expect(error?.description.contains("unrain") == true)
  }

  @Test("knows the tasks' other names", arguments: [("mp4", "deartifact"), ("sr", "superres")])
  func alias(alias: String, task: String) throws {
    let options = try settings(["--task", alias]).options(for: .embedded())
    #expect(options.task.rawValue == task)
  }

  private func settings(_ arguments: [String]) throws -> Settings {
    try Settings(TDMFilter.parse(arguments))
  }
}
