import Diffusion
import FixtureSupport
import Foundation
import Kernels
import Testing

@testable import tdm_filter

@Suite("Frames through the program")
struct FrameTests {
  @Test(
    "come out as many as went in, whatever chunk, lookahead and radius",
    arguments: [0, 1, 3, 6, 7, 11], [["1", "0"], ["1", "3"], ["4", "2"], ["0", "0"]])
  func count(frames: Int, streaming: [String]) throws {
    let options = ["--radius", "3", "--chunk", streaming[0], "--lookahead", streaming[1]]
    let result = try FilterProcess.run(
      Tiny.model() + Tiny.steps + options, input: Y4M().stream(frames: frames))
    #expect(result.status == 0, "\(result.errors)")
    #expect(Y4M.frameCount(of: result.output) == frames)
    #expect(result.output.starts(with: Array("YUV4MPEG2 W37 H21 ".utf8)))
    // The plan, the end and, where there were none, a warning.
    #expect(result.errorLines.count == (frames == 0 ? 3 : 2))
    #expect(result.errorLines[0].hasPrefix("tdm-filter: plan: "))
    #expect(result.errors.contains("\(frames) frame"))
  }

  @Test("come out code by code as they came where nothing is to be changed, beyond RGB's too")
  func unchanged() throws {
    // Each pixel with colours of its own.
    let header = "YUV4MPEG2 W\(Tiny.width) H\(Tiny.height) F25:1 Ip C444\n"
    let samples = (0..<3 * Tiny.width * Tiny.height).map { UInt8($0 * 101 % 256) }
    let input = Array(header.utf8) + Array("FRAME\n".utf8) + samples
    let result = try FilterProcess.run(
      Tiny.model() + Tiny.steps + ["--amount", "0", "--scene-cut", "off"], input: input)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output == input)
  }

  @Test("leave stderr empty where it is to be quiet")
  func quiet() throws {
    let result = try FilterProcess.run(
      Tiny.model() + Tiny.steps + ["--quiet"], input: Y4M().stream(frames: 1))
    #expect(result.status == 0)
    #expect(result.errors.isEmpty)
  }

  @Test("of raw streams are nothing but pixels; none in, none out", arguments: [0, 2])
  func raw(frames: Int) throws {
    let result = try FilterProcess.run(
      Tiny.model() + Tiny.steps + Tiny.raw, input: Tiny.rawFrames(frames))
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.count == frames * Tiny.rawFrameByteCount)
  }

  @Test("are four times as wide and high after super-resolution", arguments: ["superres", "sr"])
  func enlarged(task: String) throws {
    let result = try FilterProcess.run(
      Tiny.model() + Tiny.steps + Tiny.raw + ["--task", task], input: Tiny.rawFrames(2))
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.count == 2 * 16 * Tiny.rawFrameByteCount)
  }

  @Test("are the same from a model's folder and from checkpoints of a single file")
  func singleFile() throws {
    let folder = TemporaryFolder()
    let model = URL(filePath: folder.path).appending(path: "model")
    try SingleFileFixture.writeModel(to: model)
    let names = try SingleFileFixture.names()
    let (whole, control) = (
      folder.path + "/whole.safetensors", folder.path + "/control.safetensors"
    )
    try SingleFileFixture.writeCheckpoint(
      ["unet", "vae", "text_encoder"], of: model, to: URL(filePath: whole)
    ) { names[$0]! }
    try SingleFileFixture.writeCheckpoint(["controlnet"], of: model, to: URL(filePath: control)) {
      names[$0]!
    }
    func run(_ options: [String]) throws -> [UInt8] {
      let result = try FilterProcess.run(
        options + Tiny.steps, input: Y4M().stream(frames: 2))
      #expect(result.status == 0, "\(result.errors)")
      return result.output
    }
    let expected = try run(["--model", model.path])
    #expect(Y4M.frameCount(of: expected) == 2)
    #expect(try run(["--model", whole, "--controlnet", control]) == expected)
    #expect(try run(["--model", model.path, "--controlnet", control]) == expected)
    // It steers: without it frames come out differently.
    #expect(try run(["--model", whole, "--control-scale", "0"]) != expected)
  }

  @Test("of two equal streams, one behind the other, are the frames of each by itself")
  func concatenated() throws {
    let options = try Tiny.model() + Tiny.steps + ["--chunk", "2", "--lookahead", "1"]
    let stream = Y4M().stream(frames: 3)
    let once = try FilterProcess.run(options, input: stream).output
    let twice = try FilterProcess.run(options, input: stream + stream)
    #expect(twice.status == 0, "\(twice.errors)")
    let header = once.firstIndex(of: 0x0a)! + 1
    #expect(twice.output == once + once[header...])
  }

  @Test("carry their parameters on, and the stream its tags")
  func parameters() throws {
    var y4m = Y4M()
    y4m.header = y4m.header.replacing("Ip", with: "Im") + " XVENDOR=1 XOTHER=two"
    y4m.frameLine = "FRAME Ipp XTIME=7"
    let result = try FilterProcess.run(
      Tiny.model() + Tiny.steps, input: y4m.stream(frames: 2))
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("warning: the stream is interlaced"))
    let line = y4m.header.utf8.count + 1
    #expect(String(decoding: result.output[..<line], as: UTF8.self) == y4m.header + "\n")
    let frame = Y4M.frameByteCount + y4m.frameLine.utf8.count + 1
    #expect(result.output.count == line + 2 * frame)
    for start in [line, line + frame] {
      let parameters = result.output[start...].prefix(while: { $0 != 0x0a })
      #expect(String(decoding: parameters, as: UTF8.self) == y4m.frameLine)
    }
  }

  @Test("are asked for where there are none")
  func none() throws {
    let result = try FilterProcess.run(Tiny.model() + Tiny.steps + Tiny.raw, input: [])
    #expect(result.status == 0 && result.output.isEmpty)
    #expect(result.errors.contains("warning: the input ended before its first frame"))
    let some = try FilterProcess.run(Tiny.model() + Tiny.steps + Tiny.raw, input: Tiny.rawFrames(1))
    #expect(!some.errors.contains("warning"), "\(some.errors)")
  }

  @Test("keep the rate that their header says, and say so where another was given")
  func rate() throws {
    let stream = Y4M().stream(frames: 1)
    for (rate, isOther) in [("25", false), ("50/2", false), ("30", true)] {
      let result = try FilterProcess.run(
        Tiny.model() + Tiny.steps + ["--rate", rate], input: stream)
      #expect(result.output.starts(with: Y4M().header.utf8))
      let warnings = result.errorLines.filter { $0.contains("warning") }
      #expect(warnings.count == (isOther ? 1 : 0), "\(result.errors)")
      if isOther { #expect(warnings[0].contains("--rate 30/1: the stream's header says 25/1")) }
    }
  }

  @Test("have in their header what it did not say and was given by hand")
  func givenByHand() throws {
    let options = try Tiny.model() + Tiny.steps
    var stream = Y4M()
    stream.header = "YUV4MPEG2 W37 H21 Ip C420jpeg"
    func output(_ given: [String]) throws -> [UInt8] {
      let result = try FilterProcess.run(options + given, input: stream.stream(frames: 1))
      #expect(result.status == 0, "\(result.errors)")
      return result.output
    }
    func header(_ output: [UInt8]) -> String {
      String(decoding: output.prefix { $0 != 0x0a }, as: UTF8.self)
    }
    let usual = try output([])
    #expect(!header(usual).contains(" F"))
    let full = try output(["--rate", "30000/1001", "--range", "full"])
    #expect(header(full).contains(" F30000:1001") && header(full).contains(" XCOLORRANGE=FULL"))
    // Colours are others by another matrix, and the same by another name of it.
    #expect(try output(["--matrix", "smpte170m"]) == usual)
    #expect(try output(["--matrix", "bt709"]) != usual)
  }

  @Test("come in pieces of any size")
  func pieces() throws {
    let options = try Tiny.model() + Tiny.steps
    let stream = Y4M().stream(frames: 2)
    let filter = try FilterProcess(options)
    for byte in stream { filter.feed([byte]) }
    filter.closeInput()
    #expect(filter.wait().output == (try FilterProcess.run(options, input: stream).output))
  }

  @Test("are the same bit for bit for any number of threads and any cutting of the input")
  func reproducibility() throws { try expectReproducible(.f32) }

  @Test("are the same bit for bit for as many threads as no small picture is worth")
  func manyThreads() throws {
    // Enlarged at 16 bits nothing is rounded away, and which kernel is faster would depend on the
    // threads.
    let options = ["--task", "superres", "--size", "64x48", "--pixel-format", "rgb48le"]
    let input = (0..<64 * 48 * 6).map { UInt8(truncatingIfNeeded: $0 * 31 % 251) }
    let outputs = try ["1", "16"].map { threads in
      try FilterProcess.run(options + ["--threads", threads], input: input).output
    }
    #expect(outputs[0].count == 16 * input.count)
    #expect(outputs[0] == outputs[1])
  }

  @Test(
    "are so in bfloat16",
    .enabled(if: CPUDevice.supportsBF16, "the processor does not compute in bfloat16"))
  func bfloat16Reproducibility() throws { try expectReproducible(.bf16) }

  @Test(
    "are so for any number of threads on processors with no more than AVX2",
    arguments: CPUDevice.supportsBF16 ? ["f32", "bf16"] : ["f32"])
  func olderProcessors(precision: String) throws {
    let options =
      "--task derain --size 163x117 --pixel-format rgb48le --chunk 2 --precision \(precision)"
    var generator = SplitMix64(state: 4)
    let input = (0..<2 * 163 * 117 * 6).map { _ in UInt8.random(in: 0...255, using: &generator) }
    // bfloat16 needs AVX-512; oneDNN is kept from its instructions for bfloat16 alone.
    let settings =
      precision == "f32"
      ? "DNNL_MAX_CPU_ISA=AVX2 OPENBLAS_CORETYPE=Haswell" : "DNNL_MAX_CPU_ISA=AVX512_CORE"
    let outputs = try [1, 2, 3, 8].map { threads in
      try FilterProcess.pipeline(
        "\(settings) \"$TDM_FILTER\" \(options) --threads \(threads)", input: input
      ).output
    }
    #expect(outputs[0].count == input.count)
    #expect(outputs.allSatisfy { $0 == outputs[0] })
  }

  private func expectReproducible(_ precision: Precision) throws {
    // The embedded model, at a size that its threads share out unevenly.
    let options = [
      "--size", "163x117", "--pixel-format", "rgb24", "--precision", precision.rawValue, "--chunk",
      "2",
      "--lookahead", "1",
    ]
    var generator = SplitMix64(state: 3)
    let input = (0..<5 * 163 * 117 * 3).map { _ in UInt8.random(in: 0...255, using: &generator) }
    var outputs: [[UInt8]] = []
    for threads in 1...4 {
      let filter = try FilterProcess(options + ["--threads", "\(threads)"])
      var rest = input[...]
      while !rest.isEmpty {
        let piece = rest.prefix(Int.random(in: 1...40_000, using: &generator))
        filter.feed(piece)
        rest = rest.dropFirst(piece.count)
      }
      filter.closeInput()
      let result = filter.wait()
      #expect(result.status == 0, "\(result.errors)")
      outputs.append(result.output)
    }
    // Where OpenMP would give fewer threads than are asked for.
    for setting in ["OMP_THREAD_LIMIT=1", "OMP_MAX_ACTIVE_LEVELS=0", "OMP_DYNAMIC=true"] {
      let limited = try FilterProcess.pipeline(
        "\(setting) \"$TDM_FILTER\" \(options.joined(separator: " ")) --threads 3",
        input: input)
      outputs.append(limited.output)
    }
    #expect(outputs[0].count == input.count)
    #expect(outputs.allSatisfy { $0 == outputs[0] })
  }

  @Test("are the reference's, byte for byte up to rounding", arguments: Fixture.allCases)
  func reference(fixture: Fixture) throws {
    let clip = try Fixture.clip()
    for golden in try fixture.cases() {
      let result = try FilterProcess.run(
        [
          "--model", fixture.modelFolder(), "--precision", "f32", "--scene-cut", "off", "--threads",
          "1",
        ]
          + Tiny.raw + Self.unlessGiven(golden.options), input: clip.bytes)
      #expect(result.status == 0, "\(golden): \(result.errors)")
      let expected = try golden.output()
      try #require(result.output.count == expected.count, "\(golden)")
      let distances = zip(result.output, expected).map { abs(Int($0) - Int($1)) }
      let close = distances.count { $0 <= 1 }
      #expect(distances.max()! <= 3, "\(golden)")
      #expect(close * 1000 >= 999 * distances.count, "\(golden): \(close) of \(distances.count)")
    }
  }

  /// The reference's own defaults, which no preset has.
  private static func unlessGiven(_ options: [String]) -> [String] {
    var options = options
    for (option, value) in [("--chunk", "0"), ("--lookahead", "0"), ("--radius", "3")]
    where !options.contains(option) {
      options += [option, value]
    }
    return options
  }
}
