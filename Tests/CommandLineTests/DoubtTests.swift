import FixtureSupport
import Testing

@testable import tdm_filter

@Suite("What speaks against how the program is to be run")
struct DoubtTests {
  private func doubts(_ words: [String]) throws -> [String] {
    let settings = try Settings(TDMFilter.parse(words))
    let model = try settings.openModel()
    return try settings.doubts(about: settings.options(for: model).model(within: model))
  }

  private func doubt(_ words: [String]) throws -> String? {
    let doubts = try doubts(words)
    #expect(doubts.count < 2)
    return doubts.first
  }

  private func doubt(_ words: String...) throws -> String? { try doubt(words) }

  @Test("a preset that a model was not made for is warned of, where it says which it was made for")
  func doubt() throws {
    #expect(try doubt() == nil && doubt("--task", "sr") == nil)
    #expect(
      try doubt("--preset", "live") == nil && doubt("--preset", "live", "--task", "sr") == nil)
    let warning = try #require(try doubt("--preset", "paper"))
    #expect(warning.contains("--preset paper") && warning.contains("balanced and live"))
    for words in [
      ["--steps", "2"], ["--strength", "0.5"], ["--inversion-steps", "1"], ["--start", "noise"],
    ] {
      let warning = try #require(try doubt(words[0], words[1]))
      #expect(warning.hasPrefix("\(words[0]) \(words[1]): the embedded model"))
    }
    #expect(try doubt("--steps", "1") == nil && doubt("--start", "inversion") == nil)
    #expect(try doubt("--guidance", "3")?.hasPrefix("--guidance 3: the embedded model") == true)
    #expect(
      try doubt("--prompt", "make it sunny")?.hasPrefix("--prompt: the embedded model") == true)
    #expect(try doubt("--prompt", "remove the rain") == nil)
    #expect(
      try doubt("--negative-prompt", "blur")?.hasPrefix("--negative-prompt: has no effect") == true)
    // Only those whose steps it gives are presets that a model was made for.
    let presets = #"{"live": {"steps": 1}, "paper": {"control_scale": 0}}"#
    let second = try withPresets(presets) { try doubt("--preset", "paper", "--model", $0) }
    #expect(second?.contains("is made for live,") == true)
    // This one says nothing of presets.
    let silent = try Fixture.small.modelFolder()
    #expect(try doubt("--preset", "paper", "--model", silent) == nil)
    // Where guidance has no effect, so has what it leads away from, with any model.
    let negative = ["--model", silent, "--negative-prompt", "blur"]
    #expect(try doubt(negative)?.hasPrefix("--negative-prompt: has no effect") == true)
    #expect(try doubt(negative + ["--guidance", "2"]) == nil)
  }

  @Test("is told all at once")
  func several() throws {
    let found = try doubts(["--preset", "paper", "--negative-prompt", "x", "--prompt", "y"])
    #expect(found.count == 3)
  }

  @Test("and that nothing reads an option because of others")
  func unread() throws {
    #expect(try doubt("--seed", "5") == "--seed: has no effect without --start noise")
    for words in [["--inversion-control-scale", "1"], ["--inversion-prompt", "task"]] {
      #expect(try doubt(words) == "\(words[0]): has no effect without an inversion")
      let model = try Fixture.small.modelFolder()
      #expect(try doubt(words + ["--model", model]) == nil)
      #expect(
        try doubt(words + ["--model", model, "--start", "noise", "--seed", "1"])?
          .hasPrefix(words[0]) == true)
    }
  }

  @Test("and a window that nothing reads")
  func radius() throws {
    #expect(try doubt("--radius", "3")?.hasPrefix("--radius 3: has no effect on pictures") == true)
    #expect(try doubt("--radius", "0") == nil && doubt("--radius", "2", "--task", "derain") == nil)
    #expect(try doubt("--radius", "1", "--model", Fixture.small.modelFolder()) == nil)
  }
}
