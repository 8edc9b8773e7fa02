import Testing

@testable import Video

@Suite("Bicubic enlargement") struct EnlargementTests {
  @Test("it keeps constants and ramps, and shifts nothing")
  func ramp() {
    let (width, height) = (12, 7)
    var picture = [Float](repeating: 0, count: 3 * width * height)
    for y in 0..<height {
      for x in 0..<width {
        let base = 3 * (y * width + x)
        (picture[base], picture[base + 1], picture[base + 2]) = (
          50, 10 + 8 * Float(x), 20 + 9 * Float(y)
        )
      }
    }
    let enlarged = self.enlarged(picture, width: width, height: height)
    #expect(enlarged.count == 16 * picture.count)
    for y in 8..<(4 * height - 8) {
      for x in 8..<(4 * width - 8) {
        let base = 3 * (y * 4 * width + x)
        let (u, v) = ((Float(x) + 0.5) / 4 - 0.5, (Float(y) + 0.5) / 4 - 0.5)
        #expect(abs(enlarged[base] - 50) < 1e-4)
        #expect(abs(enlarged[base + 1] - (10 + 8 * u)) < 1e-3)
        #expect(abs(enlarged[base + 2] - (20 + 9 * v)) < 1e-3)
      }
    }
  }

  @Test("it agrees with plain code, edges replicated, and clamps")
  func plain() {
    let (width, height) = (5, 3)
    let picture = noise(3 * width * height).map { Float($0) }
    func kernel(_ x: Double) -> Double {
      let x = abs(x)
      if x < 1 { return 1.5 * x * x * x - 2.5 * x * x + 1 }
      return x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2 : 0
    }
    let enlarged = self.enlarged(picture, width: width, height: height)
    for y in 0..<4 * height {
      for x in 0..<4 * width {
        let (u, v) = ((Double(x) + 0.5) / 4 - 0.5, (Double(y) + 0.5) / 4 - 0.5)
        for channel in 0..<3 {
          var sum = 0.0
          for j in -3..<height + 3 {
            for i in -3..<width + 3 {
              let (i2, j2) = (min(max(i, 0), width - 1), min(max(j, 0), height - 1))
              sum +=
                kernel(u - Double(i)) * kernel(v - Double(j))
                * Double(picture[3 * (j2 * width + i2) + channel])
            }
          }
          let expected = min(max(sum, 0), 255)
          #expect(abs(Double(enlarged[3 * (y * 4 * width + x) + channel]) - expected) < 1e-3)
        }
      }
    }
  }

  private func enlarged(_ picture: [Float], width: Int, height: Int) -> [Float] {
    var result: [Float] = []
    BicubicEnlargement(width: width, height: height, factor: 4)(picture, into: &result)
    return result
  }
}
