import ControlProtocol
import Glibc
import Kernels
import Logging
import ModelFiles
import Restoration
import StrictJSON
import Video

/// What `--dry-run` prints: everything that is decided before the first frame, and how long it will
/// take.
struct RunPlan {
  private let lines: [(name: String, text: String)]

  /// Plans as a run would, and runs each network on blank frames. Of the input only the header is
  /// read.
  /// - Throws: what would end the run before its first frame.
  init(_ settings: Settings, _ logger: Logger) throws {
    let byteCount = InputLength.bytesAhead(STDIN_FILENO)
    let source = ByteSource(descriptor: STDIN_FILENO)
    let format = try settings.input.open(source).format
    let fileFrameCount = try InputLength.frameCount(byteCount, of: format, in: source)
    let frameCount = settings.expectedFrames ?? fileFrameCount
    let model = try settings.openModel()
    let device = try CPUDevice(precision: settings.precision, threads: settings.threads)
    // Needs the models that clients could change to.
    _ = try LiveOptions(settings, for: model)
    let stream = try StreamRestoration(
      format, model: model, options: settings.options(for: model), device: device,
      statistics: StreamStatistics(), limits: settings.memory, whenLate: settings.whenLate,
      isChangeable: settings.isChangeable)
    let options = stream.options
    let used = try options.model(within: model)
    for doubt in try settings.doubts(about: format, isFile: fileFrameCount != nil)
      + settings.doubts(about: used)
    {
      logger.warning("\(doubt)")
    }
    settings.forbidOpenings(logger)
    try stream.warmUp()
    let rehearsal = try stream.rehearse()

    lines = [
      Self.task(options), Self.how(options, settings.preset),
      (
        "model",
        "\(used.name), in \(device.precision.rawValue) on \(device.threadCount) threads with \(CPUDevice.instructionSet)"
      ),
      ("input", Self.text(format) + (frameCount.map { ", \($0) frames" } ?? "")),
      ("output", Self.text(stream.outputFormat)),
      ("pictures", Self.pictures(stream)),
      ("latency", Self.latency(stream.latency, format.frameRate)),
      ("memory", "\(stream.memoryBound): \(stream.memoryParts)"),
      ("speed", Self.speed(rehearsal, format.frameRate)),
      ("duration", Self.duration(rehearsal, frameCount)),
    ]
  }

  private static func task(_ options: RestorationOptions) -> (String, String) {
    let prompt =
      switch options.method {
      case .tdm: "by the prompt \"\(options.taskPrompt)\""
      case .zeroShot: "away from the prompt \"\(options.negativePrompt)\""
      }
    return ("task", "\(options.task.rawValue), \(prompt)")
  }

  private static func how(_ options: RestorationOptions, _ preset: Preset) -> (String, String) {
    switch options.method {
    case .tdm:
      (
        "preset",
        "\(preset.rawValue), in all \(options.presetValues.summary)\(options.besidePresetValues)"
      )
    case .zeroShot:
      (
        "method",
        "\(options.method.rawValue), in all --steps \(options.steps) --skip \(options.zeroShot.skip) --guidance "
          + "\(options.guidance) --segment \(options.zeroShot.segment) --overlap \(options.zeroShot.overlap) "
          + "--switch-blocks \(options.zeroShot.switchBlocks) --seed \(options.seed)"
          + (options.amount == 1 ? "" : " --amount \(options.amount)")
      )
    }
  }

  var text: String {
    lines.map { name, text in (name + ":").padded(to: 11) + text }.joined(separator: "\n")
  }

  /// What a run is about to do, in a line: `denoise, preset balanced, 640x360 yuv420p bt601
  /// limited, 25 frames a second; memory 300.0 MiB at most`
  static func line(
    _ stream: StreamRestoration, _ preset: Preset, from format: StreamFormat
  ) -> String {
    let options = stream.options
    let how = options.method == .tdm ? "preset \(preset.rawValue)" : options.method.rawValue
    let size = stream.outputFormat.size
    let enlarged = size == format.size ? "" : " to \(size)"
    let plan = stream.memory.restorer
    let working = options.workingSize(width: size.width, height: size.height)
    let reduced =
      working == (size.width, size.height) ? "" : ", reduced to \(working.width)x\(working.height)"
    let tiles =
      plan.tileCount > 1
      ? ", in \(plan.tileCount) tiles of \(plan.tileWidth)x\(plan.tileHeight)" : ""
    return "\(options.task.rawValue), \(how), \(format.size)\(enlarged) \(Self.samples(format))"
      + (format.frameRate.map { ", \($0) frames a second" } ?? "")
      + reduced + tiles + "; memory \(stream.memoryBound)"
  }

  private static func text(_ format: StreamFormat) -> String {
    "\(format.container.rawValue), \(format.size) \(samples(format))"
      + (format.frameRate.map { ", \($0) frames a second" } ?? ", frame rate unknown")
  }

  /// `yuv420p bt601 limited`
  private static func samples(_ format: StreamFormat) -> String {
    let matrix = format.hasMatrix ? " \(format.effectiveMatrix.rawValue)" : ""
    return "\(format.pixelFormat)\(matrix)"
      + (format.pixelFormat.isRGB ? "" : " \(format.effectiveRange.rawValue)")
  }

  private static func pictures(_ stream: StreamRestoration) -> String {
    let size = stream.outputFormat.size
    let working = stream.options.workingSize(width: size.width, height: size.height)
    let picture = "\(working.width)x\(working.height)"
    let whole = picture == "\(size)" ? picture : "reduced to \(picture)"
    let memory = stream.memory.restorer
    let tile = "\(memory.tileWidth)x\(memory.tileHeight)"
    if memory.tileCount > 1 {
      return "\(whole), in \(memory.tileCount) tiles of \(tile), which overlap"
    }
    return tile == picture ? whole : "\(whole), padded to \(tile)"
  }

  private static func latency(_ frames: Int?, _ rate: Ratio?) -> String {
    guard let frames else { return "the whole clip" }
    let seconds = rate.map {
      ", \((Double(frames) / $0.value).formatted(decimals: 2)) s of the stream"
    }
    return
      "\(frames) \(frames == 1 ? "frame comes" : "frames come") in before the first goes out\(seconds ?? "")"
  }

  private static func speed(_ rehearsal: Rehearsal, _ rate: Ratio?) -> String {
    func text(_ duration: Duration) -> String {
      (duration / .milliseconds(1)).formatted(decimals: 1) + " ms"
    }
    let carried = rehearsal.carry == .zero ? "" : ", carry \(text(rehearsal.carry))"
    let veiled =
      rehearsal.evenVeil == .zero
      ? "" : "; \(text(rehearsal.evenVeil)) more for a frame whose veil is even"
    let speed = 1 / max(rehearsal.perFrame / .seconds(1), 1e-6)
    let relative = rate.map {
      ", \((speed / $0.value).formatted(decimals: 2)) times the stream's rate"
    }
    let pace =
      speed < 0.1
      ? "a frame in \((1 / speed).formatted(decimals: 0)) s"
      : "\(speed.formatted(decimals: speed < 10 ? 2 : 1)) frames a second\(relative ?? "")"
    return
      "about \(pace) "
      + "(measured here on blank frames: fuse \(text(rehearsal.fuse)), encode \(text(rehearsal.encode)), invert \(text(rehearsal.invert)), sample "
      + "\(text(rehearsal.sample)) for \(rehearsal.emitted) of \(rehearsal.groupSize) side by side, decode \(text(rehearsal.decode))\(carried)\(veiled))"
  }

  private static func duration(_ rehearsal: Rehearsal, _ frameCount: Int?) -> String {
    guard let frameCount else { return "as long as the input, whose end is not known" }
    let seconds = rehearsal.perFrame * frameCount / .seconds(1)
    let hours = seconds < 7200 ? "" : ", \((seconds / 3600).formatted(decimals: 1)) hours"
    return "about \(seconds.formatted(decimals: 0)) s\(hours)"
  }
}

extension RestorationOptions {
  /// ` --scene-cut off --seed 7`: what is not as the preset's values have it, and none of these.
  fileprivate var besidePresetValues: String {
    let usual = RestorationOptions(presetValues, task: task).json.object!
    // These have a place of their own.
    let told = ["--task", "--prompt"] + presetValues.summary.split(separator: " ").map(String.init)
    return json.object!.sorted { $0.key < $1.key }.compactMap { key, value in
      let name = "--" + key.replacing("_", with: "-")
      if value == usual[key] || told.contains(name) { return nil }
      return value == .bool(true) ? " \(name)" : " \(name) \(value.word)"
    }.joined()
  }
}

extension JSON {
  /// As it is given on a command line.
  fileprivate var word: String {
    switch self {
    case .string(let text) where text.contains(" ") || text.isEmpty: text.quoted
    case .string(let text): text
    default: summary
    }
  }
}
