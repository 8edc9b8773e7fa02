import FixtureSupport
import Foundation
import Testing

@Suite struct BenchTests {
  private func bench(_ arguments: [String]) throws -> FilterResult {
    let beside = URL(filePath: FilterProcess.path).deletingLastPathComponent()
    let process = try FilterProcess(
      arguments, executable: beside.appending(path: "tdm-bench").path)
    process.closeInput()
    return process.wait()
  }

  @Test func `tdm-bench prints a median for every network as one JSON object`() throws {
    let result = try bench(
      try ["--model", Fixture.small.modelFolder()]
        + "--size 40x24 --precision f32 --repeat 2 --json".split(separator: " ").map(String.init))
    #expect(result.status == 0, "\(result.errors)")
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(result.output)) as? [String: Any])
    for part in ["text", "encode", "decode", "condition", "unet", "controlnet"] {
      let milliseconds = try #require(object[part] as? Double, "\(part)")
      #expect(milliseconds > 0)
    }
    #expect(object["size"] as? String == "48x32")
    #expect(object["precision"] as? String == "f32")
  }

  @Test func `tdm-bench times the embedded model, whose networks read a window`() throws {
    let result = try bench(["--size", "64x48", "--repeat", "1", "--json"])
    #expect(result.status == 0, "\(result.errors)")
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(result.output)) as? [String: Any])
    for part in ["unet", "controlnet"] { #expect(object[part] is Double, "\(part)") }
  }

  @Test func `tdm-bench times a model within the model`() throws {
    let result = try bench(["--inner", "superres", "--size", "64x48", "--repeat", "1"])
    #expect(result.status == 0, "\(result.errors)")
    let text = String(decoding: result.output, as: UTF8.self)
    #expect(text.contains("/superres, 64x48") && !text.contains("controlnet"), "\(text)")
    let missing = try bench(["--inner", "nothing"])
    #expect(missing.status == 66 && missing.errors.contains("nothing: expected a model's folder"))
  }

  @Test func `tdm-bench says in one line what it cannot do`() throws {
    let missing = try bench(["--model", "/nowhere", "--json"])
    #expect(missing.status == 66 && missing.errorLines.count == 1, "\(missing.errors)")
    #expect(try bench(["--model", "/nowhere", "--parts", "unet,lunch"]).status == 64)
    #expect(try bench(["--model", "/nowhere", "--repeat", "0"]).status == 64)
    #expect(try bench(["--controlnet", "/nowhere"]).status == 64)
  }
}
