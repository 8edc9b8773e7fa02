import FixtureSupport
import Foundation
import Kernels
import Testing

@testable import tdm_filter

@Suite("The plan that --dry-run prints")
struct DryRunTests {
  private func plan(
    _ options: [String], input: [UInt8], warnings: Int = 0
  ) throws -> [String: String] {
    let result = try FilterProcess.run(
      Tiny.model() + Tiny.steps + options + ["--dry-run"], input: input)
    #expect(result.status == 0 && result.errorLines.count == warnings, "\(result.errors)")
    var plan: [String: String] = [:]
    for line in String(decoding: result.output, as: UTF8.self).split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 1)
      plan[String(parts[0])] = parts[1].trimmingCharacters(in: .whitespaces)
    }
    return plan
  }

  @Test("says what a run would do, and restores nothing")
  func whole() throws {
    let plan = try plan(
      ["--chunk", "4", "--lookahead", "2", "--task", "derain", "--amount", "1.5"],
      input: Y4M().stream(frames: 3))
    #expect(
      plan.keys.sorted() == [
        "duration", "input", "latency", "memory", "model", "output", "pictures", "preset", "speed",
        "task",
      ])
    #expect(plan["task"] == "derain, by the prompt \"remove the rain\"")
    #expect(plan["input"] == "y4m, 37x21 yuv420p bt601 limited, 25/1 frames a second")
    #expect(plan["latency"] == "6 frames come in before the first goes out, 0.24 s of the stream")
    #expect(
      plan["preset"]?.contains("--steps 1 --strength 1 --radius 3 --fusion 0 --history 0 --chunk 4")
        == true)
    #expect(plan["preset"]?.hasSuffix(" --amount 1.5") == true)
    #expect(plan["speed"]?.contains("for 4 of 6 side by side") == true)
    #expect(plan["pictures"]?.contains(", padded to ") == true)
  }

  @Test("tells every option that is not the preset's")
  func everyOption() throws {
    let given = [
      "--attention", "first", "--color-fix", "wavelet", "--fusion-noise", "20.5", "--guidance",
      "2.5", "--inversion-control-scale", "0.5", "--inversion-prompt", "task",
      "--negative-prompt",
      "no rain", "--scene-cut", "off", "--seed", "7", "--start", "noise",
    ]
    // Of what inversion is told nothing is read where there is none.
    let preset = try plan(
      given + ["--window-in-controlnet"], input: Y4M().stream(frames: 1), warnings: 2)["preset"]
    let told = given.map { $0.contains(" ") ? "\"\($0)\"" : $0 }.joined(separator: " ")
    #expect(preset?.hasSuffix(" \(told) --window-in-controlnet") == true, "\(preset ?? "")")
  }

  @Test("says at which size frames are restored")
  func workSize() throws {
    let header = Array("YUV4MPEG2 W160 H90 F25:1 Ip C420jpeg\n".utf8)
    let reduced = try plan(["--work-size", "80"], input: header)
    #expect(reduced["pictures"]?.hasPrefix("reduced to 80x45, ") == true)
    #expect(reduced["preset"]?.hasSuffix(" --work-size 80") == true)
    let whole = try plan(["--work-size", "200"], input: header)
    #expect(whole["pictures"]?.hasPrefix("160x90") == true)
  }

  @Test("warns of a strength, and of an inversion, that the model is not made for")
  func strength() throws {
    for (options, warned) in [
      ([], nil), (["--strength", "0.1", "--inversion-steps", "0"], nil),
      (["--strength", "0.5"], "--strength 0.5: the embedded model/denoise is made for 0.1"),
      (
        ["--inversion-steps", "2"], "--inversion-steps 2: the embedded model/denoise is made for 0"
      ),
      (["--preset", "paper", "--strength", "0.5"], "--preset paper: "),
    ] {
      let result = try FilterProcess.run(
        options + [
          "--input-format", "raw", "--size", "32x32", "--pixel-format", "gray", "--dry-run",
        ])
      #expect(result.errorLines.count == (warned == nil ? 0 : 1), "\(options): \(result.errors)")
      if let warned { #expect(result.errors.contains(warned), "\(options): \(result.errors)") }
    }
  }

  @Test("warns of what a run would")
  func doubts() throws {
    let interlaced = Array("YUV4MPEG2 W160 H90 F25:1 It C420jpeg\n".utf8)
    let result = try FilterProcess.run(
      Tiny.model() + Tiny.steps + ["--rate", "24", "--dry-run"], input: interlaced)
    #expect(result.status == 0 && result.errorLines.count == 2, "\(result.errors)")
    #expect(result.errors.contains("warning: the stream is interlaced"))
    #expect(result.errors.contains("warning: --rate 24/1"))
  }

  @Test(
    "warns where the stream does not tell the matrix of pictures as large as those of BT.709",
    arguments: [(720, "", true), (720, "--matrix bt709", false), (718, "", false)])
  func matrix(height: Int, options: String, isWarned: Bool) throws {
    let header = Array("YUV4MPEG2 W16 H\(height) F25:1 Ip C420jpeg\n".utf8)
    let result = try FilterProcess.run(
      Tiny.model() + Tiny.steps + options.split(separator: " ").map(String.init) + ["--dry-run"],
      input: header)
    #expect(result.status == 0 && result.errors.contains("give --matrix bt709") == isWarned)
  }

  @Test("needs a header at most")
  func headerOnly() throws {
    #expect(
      try plan([], input: Array((Y4M().header + "\n").utf8))["output"]?.hasPrefix("y4m, 37x21")
        == true)
    let raw = try plan(Tiny.raw + ["--task", "sr"], input: [])
    #expect(raw["output"] == "raw, 148x84 rgb24, frame rate unknown")
    expectFailure(
      try FilterProcess.run(Tiny.model() + ["--dry-run"], input: Array("RIFF".utf8)), .badStream,
      saying: ["RIFF"])
  }

  @Test("warns of a file whose frames would not wait, and counts them by how long their lines are")
  func longLines() throws {
    let result = try FilterProcess.pipeline(
      """
      file=$(mktemp); trap 'rm -f "$file"' EXIT
      printf 'YUV4MPEG2 W8 H8 F25:1 Ip Cmono\n' > "$file"
      for frame in 1 2 3 4 5 6 7 8; do printf 'FRAME Ippp XABCDEFG=1234\n%64s' '' >> "$file"; done
      $TDM_FILTER \(try (Tiny.model() + Tiny.steps).joined(separator: " ")) --when-late skip --dry-run < "$file"
      """)
    #expect(result.status == 0, "\(result.errors)")
    #expect(String(decoding: result.output, as: UTF8.self).contains(", 8 frames\n"))
    #expect(result.errors.contains("warning: --when-late skip: the input is a file"))
  }

  @Test("warns of more threads than there are processors")
  func threads() throws {
    for (more, warns) in [(0, false), (1, true)] {
      let options = try Tiny.model() + Tiny.steps + ["--dry-run"]
      let result = try FilterProcess.run(
        options + ["--threads", "\(CPUDevice.processorCount + more)"],
        input: Y4M().stream(frames: 1))
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.errors.contains("more than the \(CPUDevice.processorCount)") == warns)
    }
  }

  @Test("knows how long a file is")
  func file() throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "tdm-\(UUID()).y4m")
    defer { try? FileManager.default.removeItem(at: file) }
    try Data(Y4M().stream(frames: 17)).write(to: file)
    let arguments = try (Tiny.model() + Tiny.steps).map { "'\($0)'" }.joined(separator: " ")
    let result = try FilterProcess.pipeline(
      "\"$TDM_FILTER\" \(arguments) --dry-run < '\(file.path)'")
    #expect(String(decoding: result.output, as: UTF8.self).contains(", 17 frames\n"))
  }

  @Test("is told apart from the facts of the build")
  func version() throws {
    let result = try FilterProcess.run(["--version"])
    let text = String(decoding: result.output, as: UTF8.self)
    #expect(text.hasPrefix("tdm-filter \(TDMFilter.version)\n"))
    for library in ["oneDNN", "OpenBLAS", "libavutil", "libswscale", "zstd"] {
      #expect(text.firstMatch(of: try Regex("\(library) [0-9]+\\.[0-9]+")) != nil, "\(library)")
    }
    #expect(text.contains("instruction sets: "))
  }
}
