import ArgumentParser
import Foundation
import Kernels
import ModelFiles
import TensorCore
import Video

/// Times each network of a model on fixed inputs, and can leave what they computed for others to
/// compare.
@main
struct TDMBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tdm-bench",
    abstract: "Times a model's networks: medians in milliseconds, one frame at a time.",
    discussion: """
      text: the text encoder on one prompt; encode, decode: the autoencoder on one picture; condition: the \
      ControlNet's embedding of the picture, run once a frame; unet, controlnet: one step each. Every part runs \
      once before its time is taken.
      """)

  @Option(
    help:
      "A model's folder, as diffusers writes it, a checkpoint or a packed model. Without it, the program's own."
  )
  var model: String?

  @Option(
    name: .customLong("controlnet"),
    help: "The folder or the checkpoint of a ControlNet, where it is not in --model.")
  var controlNet: String?

  @Option(help: "Time the model in this folder of it, as superres or live in the program's own.")
  var inner: String?

  @Option(
    help: ArgumentHelp(
      "The picture's size, padded to the model's multiple.", valueName: "WxH"),
    transform: PictureSize.init(parsing:))
  var size = try! PictureSize(width: 512, height: 512)

  @Option(help: "bf16 or f32. Without it, what this processor is faster with.")
  var precision: Precision = CPUDevice.favoursBF16 ? .bf16 : .f32

  @Option(help: "How often each part is timed.")
  var `repeat` = 5

  @Option(help: "How many threads compute. Without it, one a processor.")
  var threads: Int?

  @Option(help: "The parts to run, with commas between. Without it, all of \(BenchPart.list).")
  var parts: PartList?

  @Flag(help: "Print one JSON object.")
  var json = false

  @Flag(help: "Print to standard error where each part's time goes.")
  var profile = false

  @Option(
    help:
      "Leave every part's inputs and outputs in this folder: PART.safetensors, float32, [H, W, C].")
  var dump: String?

  func validate() throws {
    guard `repeat` > 0 else { throw ValidationError("--repeat \(`repeat`): expected 1 or more") }
    guard model != nil || controlNet == nil else {
      throw ValidationError("--controlnet goes with --model: give both")
    }
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads \(threads): expected 1 to 1024")
    }
  }

  func run() throws {
    do {
      try report(measure())
    } catch let error as ModelError {
      complain(error.description)
      throw ExitCode(66)
    } catch let error as KernelError {
      complain(error.description)
      throw ExitCode(error.cause == .unreadableWeights ? 66 : 70)
    }
  }

  private func complain(_ message: String) {
    FileHandle.standardError.write(Data("tdm-bench: \(message)\n".utf8))
  }

  private func measure() throws -> BenchResult {
    let whole = try model.map { try ModelFolder(path: $0, controlNet: controlNet) } ?? .embedded()
    let folder = try inner.map { try whole.inner($0) } ?? whole
    let geometry = try Geometry(folder, size)
    if let dump {
      try FileManager.default.createDirectory(atPath: dump, withIntermediateDirectories: true)
    }
    var result = BenchResult(
      model: folder.name, width: geometry.width, height: geometry.height,
      precision: precision.rawValue, repeats: `repeat`,
      instructionSet: CPUDevice.instructionSet)
    let steered = folder.hasPart(.controlnet)
    for part in parts?.parts ?? BenchPart.allCases.filter({ steered || !$0.needsControlNet }) {
      // A device of its own: the next part does not keep this one's weights in memory.
      let device = try CPUDevice(precision: precision, threads: threads)
      result.threads = device.threadCount
      let run = try part.prepare(folder, geometry, on: device)
      try run.compute()
      if let dump {
        try writeSafetensors(run.tensors(), to: "\(dump)/\(part.rawValue).safetensors")
      }
      let times = OperationTimes()
      if profile { device.profile = times }
      var durations: [Double] = []
      for _ in 0..<`repeat` {
        let start = ContinuousClock.now
        try run.compute()
        durations.append((ContinuousClock.now - start) / .milliseconds(1))
      }
      result.milliseconds[part] = durations.sorted()[durations.count / 2]
      if profile { explain(part, times) }
    }
    return result
  }

  private func explain(_ part: BenchPart, _ times: OperationTimes) {
    for (label, seconds) in times.seconds.sorted(by: { $0.value > $1.value }) {
      let milliseconds = (1e5 * seconds / Double(`repeat`)).rounded() / 100
      FileHandle.standardError.write(Data("\(part.rawValue)\t\(milliseconds)\t\(label)\n".utf8))
    }
  }

  private func report(_ result: BenchResult) throws {
    print(json ? try result.json() : result.text())
  }
}

struct PartList: ExpressibleByArgument {
  var parts: [BenchPart]

  init?(argument: String) {
    parts = []
    for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let part = BenchPart(rawValue: String(name)) else { return nil }
      parts.append(part)
    }
  }
}

extension Precision: ExpressibleByArgument {}
