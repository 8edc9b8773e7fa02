import Diffusion
import Foundation
import Testing

@testable import tdm_filter

/// What the model inside the program does to a scene that it has never seen, degraded for each of
/// its tasks. Whatever is amiss with the weights, their packing or their presets shows here.
@Suite("The embedded model")
struct EmbeddedModelTests {
  private static let side = 96
  private static let frameCount = 5
  private static let clean = {
    let scene = LeafScene(width: side, height: side)
    return (0..<frameCount).map(scene.frame)
  }()

  /// What is done to the clean frames, seeded, and how much better than that they come back at
  /// least: most of what was measured when the model was packed.
  enum Degradation: String, CaseIterable, Sendable {
    case denoise, deartifact, superres, derain, derainLines, dehaze

    var gain: Double {
      switch self {
      case .denoise: 8.5
      case .deartifact: 1.2
      case .superres: 2.5
      case .derain, .derainLines: 4.5
      case .dehaze: 22
      }
    }

    var task: String { self == .derainLines ? "derain" : rawValue }

    func apply(_ frame: [Float], _ number: Int) -> [Float] {
      let side = EmbeddedModelTests.side
      switch self {
      case .denoise:
        var noise = GaussianNoise(seed: UInt64(number))
        return frame.map { $0 + 25 * noise.next() }
      case .deartifact: return Self.quantized(frame, side)
      case .superres: return Self.reduced(frame, side)
      case .derain: return Self.rainy(frame, side, number, isSoft: true)
      case .derainLines: return Self.rainy(frame, side, number, isSoft: false)
      case .dehaze: return frame.map { 0.5 * $0 + 0.5 * 225 }
      }
    }

    /// Each 8x8 block's cosine transform rounded to steps, as JPEG and MPEG do it.
    private static func quantized(_ frame: [Float], _ side: Int) -> [Float] {
      let basis: [[Double]] = (0..<8).map { k in
        let scale = k == 0 ? 0.125.squareRoot() : 0.5
        return (0..<8).map { n in scale * cos(Double.pi * (Double(n) + 0.5) * Double(k) / 8) }
      }
      var out = frame
      for channel in 0..<3 {
        for top in stride(from: 0, to: side, by: 8) {
          for left in stride(from: 0, to: side, by: 8) {
            func place(_ y: Int, _ x: Int) -> Int { ((top + y) * side + left + x) * 3 + channel }
            var block = [[Double]](repeating: [Double](repeating: 0, count: 8), count: 8)
            for v in 0..<8 {
              for u in 0..<8 {
                var sum = 0.0
                for y in 0..<8 {
                  for x in 0..<8 { sum += basis[v][y] * basis[u][x] * Double(frame[place(y, x)]) }
                }
                let step = 20 + 6 * Double(u + v)
                block[v][u] = (sum / step).rounded() * step
              }
            }
            for y in 0..<8 {
              for x in 0..<8 {
                var sum = 0.0
                for v in 0..<8 { for u in 0..<8 { sum += basis[v][y] * basis[u][x] * block[v][u] } }
                out[place(y, x)] = Float(sum)
              }
            }
          }
        }
      }
      return out
    }

    /// The means of 4x4 pixels.
    private static func reduced(_ frame: [Float], _ side: Int) -> [Float] {
      (0..<side / 4 * (side / 4) * 3).map { index in
        let (pixel, channel) = (index / 3, index % 3)
        var sum: Float = 0
        for y in 0..<4 {
          for x in 0..<4 {
            let place = (pixel / (side / 4) * 4 + y) * side + pixel % (side / 4) * 4 + x
            sum += frame[place * 3 + channel]
          }
        }
        return sum / 16
      }
    }

    /// Bright slanted streaks, new in every frame: with soft sides, or a pixel wide and jagged.
    private static func rainy(
      _ frame: [Float], _ side: Int, _ number: Int, isSoft: Bool
    ) -> [Float] {
      var generator = SplitMix64(state: UInt64(number) + 77)
      var out = frame
      for _ in 0..<60 {
        let (x, y) = (
          Int.random(in: 0..<side, using: &generator), Int.random(in: -12..<side, using: &generator)
        )
        for step in 0..<14 where (0..<side).contains(y + step) {
          let middle = Float(x) + 0.2 * Float(step)
          for column in max(x - 3, 0)..<min(x + 6, side) {
            let distance = Float(column) - middle
            let cover =
              isSoft
              ? 0.5 * exp(-0.5 * distance * distance / 0.64)
              : (-0.5..<0.5).contains(distance) ? 0.6 : 0
            let place = ((y + step) * side + column) * 3
            for channel in 0..<3 { out[place + channel] += cover * (235 - out[place + channel]) }
          }
        }
      }
      return out
    }
  }

  private func restored(_ frames: [[Float]], _ side: Int, _ task: String, _ preset: String) throws
    -> [[Float]]
  {
    let bytes = frames.joined().map { UInt8(min(max($0, 0), 255).rounded()) }
    let result = try FilterProcess.run(
      [
        "--input-format", "raw", "--size", "\(side)x\(side)", "--pixel-format", "rgb24",
        "--task", task, "--preset", preset, "--precision", "f32", "--threads", "1",
      ], input: bytes)
    #expect(result.status == 0, "\(result.errors)")
    let count = Self.side * Self.side * 3
    try #require(result.output.count == frames.count * count)
    return (0..<frames.count).map { frame in
      result.output[frame * count..<(frame + 1) * count].map(Float.init)
    }
  }

  @Test(
    "restores what each task is for", arguments: Degradation.allCases, ["balanced", "live"])
  func gain(degradation: Degradation, preset: String) throws {
    let degraded = Self.clean.enumerated().map { degradation.apply($1, $0) }
    let side = degradation == .superres ? Self.side / 4 : Self.side
    let restored = try restored(degraded, side, degradation.task, preset)
    let before =
      degradation == .superres ? degraded.map { Self.enlarged($0) } : degraded
    let (was, now) = (psnr(before, Self.clean), psnr(restored, Self.clean))
    #expect(now - was >= degradation.gain, "\(was) dB before, \(now) after")
  }

  /// Four times as wide and high, between the small picture's pixels along straight lines.
  private static func enlarged(_ frame: [Float]) -> [Float] {
    let small = side / 4
    return (0..<side * side * 3).map { index in
      let (pixel, channel) = (index / 3, index % 3)
      func at(_ place: Int) -> (first: Int, second: Int, share: Float) {
        let exact = min(max((Float(place) + 0.5) / 4 - 0.5, 0), Float(small - 1))
        return (Int(exact), min(Int(exact) + 1, small - 1), exact - exact.rounded(.down))
      }
      let (y, x) = (at(pixel / side), at(pixel % side))
      func value(_ y: Int, _ x: Int) -> Float { frame[(y * small + x) * 3 + channel] }
      let upper = value(y.first, x.first) * (1 - x.share) + value(y.first, x.second) * x.share
      let lower = value(y.second, x.first) * (1 - x.share) + value(y.second, x.second) * x.share
      return upper * (1 - y.share) + lower * y.share
    }
  }

  @Test(
    "leaves a clean scene as it is", arguments: ["denoise", "deartifact", "derain"],
    ["balanced", "live"])
  func clean(task: String, preset: String) throws {
    let restored = try restored(Self.clean, Self.side, task, preset)
    let found = psnr(restored, Self.clean)
    #expect(found >= 42, "\(found) dB")
  }
}
