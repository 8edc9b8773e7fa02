import Testing

@testable import Restoration

@Suite("Levels stretched from black to white")
struct LevelStretchTests {
  private let pixelCount = 80 * 50

  private func stretched(_ frame: [Float]) -> [Float] {
    var levels = LevelStretch(frameCount: frame.count)
    // What was there before is of no account.
    levels.take(frame.map { 255 - $0 })
    levels.take(frame)
    return levels.picture
  }

  /// Noise in each colour within bounds.
  private func frame(_ low: Float, _ high: Float, seed: Int = 1) -> [Float] {
    (0..<pixelCount * 3).map {
      low + (high - low) * Float(($0 * 7919 + seed * 104_729) % 997) / 996
    }
  }

  @Test("leave one pixel in a thousand beyond each end, whose darkest or brightest colour it is")
  func ends() {
    let frame = frame(60, 180)
    let pixels = stride(from: 0, to: frame.count, by: 3).map { Array(frame[$0..<$0 + 3]) }
    let beyond = pixels.count / 1000
    let black = pixels.map { $0.min()! }.sorted()[beyond]
    let white = pixels.map { $0.max()! }.sorted(by: >)[beyond]
    let expected = frame.map { min(max(($0 - black) / (white - black), 0), 1) * 255 }
    // A class is a sixteenth of a level.
    let most = 255 / (white - black) / 16 + 0.01
    #expect(zip(stretched(frame), expected).allSatisfy { abs($0 - $1) <= most })
  }

  @Test("leave so many and no more")
  func count() {
    var frame = self.frame(60, 180)
    let beyond = pixelCount / 1000
    for index in 0...beyond {
      let isLast = index == beyond
      frame[index * 300] = isLast ? 20 : 2
      frame[index * 300 + 151] = isLast ? 220 : 250
    }
    let made = stretched(frame)
    #expect(made[beyond * 300] == 0 && made[beyond * 300 + 151] == 255)
    #expect(abs(made[1] - (frame[1] - 20) * 255 / 200) < 0.1)
  }

  @Test("take an even veil away, and leave what has black and white as it is")
  func veil() {
    var scene = frame(0, 255)
    for index in 0..<60 { (scene[index * 3], scene[9000 + index * 3]) = (0, 255) }
    let veiled = scene.map { $0 * 0.45 + 118 }
    #expect(zip(stretched(veiled), scene).allSatisfy { abs($0 - $1) < 0.3 })
    #expect(zip(stretched(scene), scene).allSatisfy { abs($0 - $1) < 0.1 })
  }

  @Test("make no picture of what is hardly there, and nothing that is not finite")
  func flat() {
    let hardly = frame(100, 102)
    let made = stretched(hardly)
    #expect(made.max()! - made.min()! < 2 * 10.5 && made.allSatisfy(\.isFinite))
    for value: Float in [0, 77, 255, -20, 300] {
      let plain = stretched([Float](repeating: value, count: pixelCount * 3))
      #expect(plain.allSatisfy { (0...255).contains($0) })
    }
    // Fewer pixels than a thousand.
    #expect(stretched([10, 20, 30, 200, 150, 100]).allSatisfy { (0...255).contains($0) })
  }
}
