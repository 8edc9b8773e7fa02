import CKernels
import Foundation
import Testing

/// Reduction and guided transfer against their definitions, written down plainly.
@Suite("In C, guided transfer")
struct CGuidedTransferTests {
  /// A picture's height and width, and a reduced one's: the same, halves, and what divides badly.
  static let sizes = [
    (1, 1, 1, 1), (5, 7, 1, 3), (24, 40, 12, 20), (31, 50, 20, 33), (40, 26, 40, 26),
    (45, 80, 25, 44),
  ]

  private func floats(_ memory: Guarded) -> UnsafeMutablePointer<Float> {
    memory.start.assumingMemoryBound(to: Float.self)
  }

  private func picture(_ height: Int, _ width: Int, seed: UInt64) -> [Float] {
    var noise = Noise(seed)
    return (0..<height * width * 3).map {
      let (y, x) = (Float($0 / 3 / width), Float($0 / 3 % width))
      return 120 + 60 * sinf(x / 5 + Float($0 % 3)) * cosf(y / 7) + 8 * noise.normal()
    }
  }

  /// Means over areas, by how much of each pixel lies in them.
  private func reduced(_ x: [Float], _ size: (Int, Int), to small: (Int, Int)) -> [Float] {
    func overlap(_ index: Int, _ count: Int, _ smallIndex: Int, _ smallCount: Int) -> Double {
      let scale = Double(count) / Double(smallCount)
      let from = max(Double(smallIndex) * scale, Double(index))
      return max(0, min(Double(smallIndex + 1) * scale, Double(index + 1)) - from) / scale
    }
    return (0..<small.0 * small.1 * 3).map { place in
      let (row, column) = (place / 3 / small.1, place / 3 % small.1)
      var sum = 0.0
      for y in 0..<size.0 {
        let down = overlap(y, size.0, row, small.0)
        if down == 0 { continue }
        for i in 0..<size.1 {
          sum +=
            down * overlap(i, size.1, column, small.1) * Double(x[(y * size.1 + i) * 3 + place % 3])
        }
      }
      return Float(sum)
    }
  }

  /// Averages over the frames so far, by place: of the map, and of the guide's mean.
  private struct Former {
    var maps: [[Double]] = []
    var means: [[Double]] = []
  }

  private func transferred(
    _ x: [Float], _ size: (Int, Int), guide: [Float], target: [Float], _ small: (Int, Int),
    after former: inout Former
  ) -> [Double] {
    func windows(_ body: (_ pixels: [Int]) -> [Double]) -> [[Double]] {
      (0..<small.0 * small.1).map { place in
        let (row, column) = (place / small.1, place % small.1)
        return body(
          (max(0, row - 8)...min(small.0 - 1, row + 8)).flatMap { y in
            (max(0, column - 8)...min(small.1 - 1, column + 8)).map { y * small.1 + $0 }
          })
      }
    }
    let maps = windows { pixels in
      func mean(_ value: (Int) -> Double) -> Double {
        pixels.reduce(0) { $0 + value($1) } / Double(pixels.count)
      }
      var (variance, covariance) = (0.0, 0.0)
      var means: [(Double, Double)] = []
      for c in 0..<3 {
        let g = mean { Double(guide[3 * $0 + c]) }
        let t = mean { Double(target[3 * $0 + c]) }
        variance += mean { (Double(guide[3 * $0 + c]) - g) * (Double(guide[3 * $0 + c]) - g) }
        covariance += mean { (Double(guide[3 * $0 + c]) - g) * (Double(target[3 * $0 + c]) - t) }
        means.append((g, t))
      }
      let gain = (covariance + 12) / (variance + 12)
      return [gain] + means.map { $0.1 - gain * $0.0 }
    }
    var smooth = windows { pixels in
      (0..<4).map { k in pixels.reduce(0) { $0 + maps[$1][k] } / Double(pixels.count) }
    }
    var means = windows { pixels in
      (0..<3).map { c in
        pixels.reduce(0) { $0 + Double(guide[3 * $1 + c]) } / Double(pixels.count)
      }
    }
    for place in smooth.indices where !former.maps.isEmpty {
      let distance = zip(means[place], former.means[place]).reduce(0) {
        $0 + ($1.0 - $1.1) * ($1.0 - $1.1)
      }
      let share = 0.9 * (1600 / (1600 + distance)) * (1600 / (1600 + distance))
      func averaged(_ own: [Double], _ former: [Double]) -> [Double] {
        zip(own, former).map { (1 - share) * $0 + share * $1 }
      }
      smooth[place] = averaged(smooth[place], former.maps[place])
      means[place] = averaged(means[place], former.means[place])
    }
    former = Former(maps: smooth, means: means)
    func place(_ index: Int, _ count: Int, _ smallCount: Int) -> (Int, Int, Double) {
      let at = max(0, (Double(index) + 0.5) * Double(smallCount) / Double(count) - 0.5)
      let before = min(Int(at), smallCount - 1)
      return (before, min(before + 1, smallCount - 1), at - Double(before))
    }
    return x.indices.map { index in
      let (above, below, down) = place(index / 3 / size.1, size.0, small.0)
      let (left, right, across) = place(index / 3 % size.1, size.1, small.1)
      func value(_ k: Int) -> Double {
        func line(_ row: Int) -> Double {
          smooth[row * small.1 + left][k] * (1 - across) + smooth[row * small.1 + right][k] * across
        }
        return line(above) * (1 - down) + line(below) * down
      }
      return value(0) * Double(x[index]) + value(1 + index % 3)
    }
  }

  @Test(
    "equals the definition by every instruction set and any number of threads", arguments: sizes)
  func definition(height: Int, width: Int, smallHeight: Int, smallWidth: Int) {
    let (size, small) = ((height, width), (smallHeight, smallWidth))
    var noise = Noise(5)
    var former = Former()
    // The third frame is brighter, and little of the first two is left in it.
    let frames = (0..<3).map { number in
      let x = picture(height, width, seed: UInt64(number)).map { $0 + (number == 2 ? 40 : 0) }
      let guide = reduced(x, size, to: small)
      let target = guide.map { (1.4 - 0.2 * Float(number)) * $0 - 50 + 6 * noise.normal() }
      let expected = transferred(
        x, size, guide: guide, target: target, small, after: &former)
      return (x: x, guide: guide, target: target, expected: expected)
    }
    withEachInstructionSet { isa in
      var found: [[Float]] = []
      for threads: Int32 in [1, 2, 3] {
        let scratch = Guarded(
          TDM_F32,
          count: tdm_guided_transfer_scratch_count(width, smallWidth, smallHeight, threads))
        var all: [Float] = []
        for (number, frame) in frames.enumerated() {
          let (picture, goal) = (Guarded(TDM_F32, frame.x), Guarded(TDM_F32, frame.target))
          let guide = Guarded(TDM_F32, count: frame.target.count)
          tdm_area_reduction(
            floats(guide), smallWidth, smallHeight, floats(picture), width, height,
            floats(scratch), threads)
          #expect(
            zip(guide.values(TDM_F32), frame.guide).allSatisfy { abs($0 - $1) < 1e-3 },
            "set \(isa)")
          tdm_guided_transfer(
            floats(picture), width, height, floats(guide), floats(goal), smallWidth, smallHeight,
            number == 0 ? 0 : 1, floats(scratch), threads)
          let areIntact = [scratch, picture, goal, guide].allSatisfy(\.isIntact)
          #expect(areIntact, "set \(isa)")
          all += picture.values(TDM_F32)
        }
        found.append(all)
      }
      let expected = frames.flatMap(\.expected)
      #expect(zip(found[0], expected).allSatisfy { abs(Double($0) - $1) < 0.02 }, "set \(isa)")
      #expect(found[1] == found[0] && found[2] == found[0], "set \(isa)")
    }
  }

  @Test("leaves a picture as it is where nothing was changed")
  func unchanged() {
    let (height, width) = (60, 90)
    var x = picture(height, width, seed: 3)
    // A part without any contrast, too.
    for index in 0..<3000 { x[index] = 77 }
    let original = x
    var scratch = [Float](
      repeating: 0, count: tdm_guided_transfer_scratch_count(width, 45, 30, 2))
    var guide = [Float](repeating: 0, count: 45 * 30 * 3)
    tdm_area_reduction(&guide, 45, 30, x, width, height, &scratch, 2)
    tdm_guided_transfer(&x, width, height, guide, guide, 45, 30, 0, &scratch, 2)
    #expect(zip(x, original).allSatisfy { abs($0 - $1) < 0.01 })
  }
}
