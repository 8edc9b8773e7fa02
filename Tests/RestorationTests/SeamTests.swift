import Kernels
import ModelFiles
import Testing

@testable import Restoration

@Suite struct SeamTests {
  private static let height = 656
  private static let width = 664

  /// What a clip shows, by place and colour channel.
  enum Picture: String, CaseIterable, Sendable {
    case flat, gradient

    func value(_ x: Int, _ y: Int, _ channel: Int) -> Float {
      switch self {
      case .flat: [110, 140, 90][channel]
      case .gradient:
        [
          Float(x) / Float(SeamTests.width), Float(y) / Float(SeamTests.height),
          Float(x + y) / Float(SeamTests.width + SeamTests.height),
        ][channel] * 200 + 25
      }
    }
  }

  private func restore(
    _ frame: [Float], by preset: Preset, limits: MemoryLimits = MemoryLimits()
  ) throws -> (last: [Float], memory: MemoryEstimate) {
    let model = try ModelFolder.embedded()
    var options = try preset.options(for: model)
    options.sceneCut = .off
    let restorer = try options.makeRestorer(
      model: model, width: Self.width, height: Self.height, device: CPUDevice(precision: .f32),
      limits: limits)
    var last: [Float] = []
    for _ in 0..<2 { try restorer.push(frame) { last = $0 } }
    try restorer.finish { last = $0 }
    return (last, restorer.memory)
  }

  /// How bent the picture is from line to line: for each pair of neighbouring columns (or rows) the
  /// mean over the other side of the second difference. A seam is a line that stands out.
  private func bends(_ frame: [Float], across: Bool) -> [Float] {
    let (length, lines) = across ? (Self.width, Self.height) : (Self.height, Self.width)
    let (step, line) = across ? (3, Self.width * 3) : (Self.width * 3, 3)
    // Margins are left out: at the picture's own edge networks see zeros, in one piece or in tiles.
    return (24..<length - 24).map { place in
      var sum: Float = 0
      for other in 24..<lines - 24 {
        let here = place * step + other * line
        for channel in here..<here + 3 {
          sum += abs(frame[channel - step] - 2 * frame[channel] + frame[channel + step])
        }
      }
      return sum / Float(3 * (lines - 48))
    }
  }

  @Test(
    "Tiles leave no seams on flat and gradient clips", arguments: Picture.allCases,
    [Preset.balanced, .live])
  func seams(picture: Picture, preset: Preset) throws {
    let frame = (0..<Self.height * Self.width * 3).map {
      picture.value($0 / 3 % Self.width, $0 / 3 / Self.width, $0 % 3)
    }
    let whole = try restore(frame, by: preset)
    let limit = whole.memory.total - whole.memory.activations / 2
    let tiled = try restore(frame, by: preset, limits: MemoryLimits(total: limit))
    #expect(tiled.memory.tileCount > 1)
    for across in [true, false] {
      let expected = bends(whole.last, across: across).max()!
      let found = bends(tiled.last, across: across)
      // A seam of one 8-bit level would stand out by as much.
      #expect(found.max()! < expected + 0.1, "at \(24 + found.firstIndex(of: found.max()!)!)")
    }
    let error = zip(whole.last, tiled.last).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    // 45 dB.
    #expect(error / Float(frame.count) < 2.06)
  }
}
