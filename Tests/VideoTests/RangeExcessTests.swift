import Testing

@testable import Video

@Suite("Colours beyond RGB's range") struct RangeExcessTests {
  private func givenBack(
    _ source: [Float], _ restored: [Float], width: Int = 16, height: Int = 12
  ) throws -> [Float] {
    var excess = RangeExcess(try PictureSize(width: width, height: height))
    var picture = restored
    excess.giveBack(source, to: &picture)
    return picture
  }

  private func cut(_ picture: [Float]) -> [Float] {
    var picture = picture
    RangeExcess.cut(&picture)
    return picture
  }

  @Test(
    "come back whole where nothing was changed: every code does, whatever the size",
    arguments: [
      "yuv420p", "yuv422p10le", "yuv411p", "yuv410p", "yuv440p", "yuv444p", "yuvj420p", "nv12",
      "yuyv422", "yuv420p16le", "gray", "gray16le",
    ], [(16, 12), (17, 13), (33, 1), (2, 3), (64, 47)])
  func unchanged(name: String, size: (width: Int, height: Int)) throws {
    let format = try stream(name, size.width, size.height)
    // Noise has every code of 8 bits; above, what is not a sample's must be 0.
    let whole = frame(format, noise(format.layout.byteCount))
    let once =
      format.pixelFormat.components[0].depth == 10 ? encoded(decoded(whole, format), format) : whole
    let source = decoded(once, format)
    #expect(
      source.contains { $0 < -5 || $0 > 260 } || name.hasPrefix("gray") || size.width < 16)
    #expect(cut(source).allSatisfy { (0...255).contains($0) })
    let back = try givenBack(source, cut(source), width: size.width, height: size.height)
    #expect(zip(back, source).allSatisfy { abs($0 - $1) < 1e-4 })
    for component in format.pixelFormat.components.indices {
      let (one, other) = (codes(encoded(back, format), component), codes(once, component))
      let off = zip(one, other).map { abs($0 - $1) }.max()!
      #expect(off == 0, "component \(component): \(off)")
    }
  }

  @Test("come back by how much larger they are than what was changed about them")
  func share() throws {
    var source = [Float](repeating: 100, count: 3 * 16 * 12)
    let places = [(y: 6, x: 8), (y: 0, x: 0)].map { 3 * ($0.y * 16 + $0.x) }
    for place in places { source[place] = 275 }
    var restored = cut(source).map { $0 + 1 }
    for place in places { restored[place] = 254 }
    let back = try givenBack(source, restored)
    // Changed by 1 in the whole picture. Of 25 pixels and in the corner of 9 one has an excess of
    // 20.
    for (place, count) in zip(places, [25, 9] as [Float]) {
      let mean = 20 / count
      let rest = 1 - 1 / (400 / count - mean * mean)
      let whole = rest * 20 + (1 - rest) * max(0, 1 - 1 / (mean * mean)) * mean
      #expect(abs(back[place] - (254 + whole)) < 1e-3, "\(back[place])")
    }
    #expect(back[3 * 50] == 101)
  }

  @Test("come back without their noise where a colour lies beyond as a whole")
  func whole() throws {
    let (width, height) = (48, 40)
    // Red and green are 40 beyond and noisy; blue, which is in the middle, shows how noisy.
    let grain = noise(3 * width * height).map { Float($0) / 255 * 30 - 15 }
    let clean = (0..<grain.count).map { [-40, 295, 120][$0 % 3] as Float }
    let source = zip(clean, grain).map { $0 + $1 }
    let back = try givenBack(source, cut(clean), width: width, height: height)
    let left = zip(back, clean).map { ($0 - $1) * ($0 - $1) }.reduce(0, +) / Float(back.count)
    // A variance of 75, of which the mean of 25 leaves 3 in two of three colours; 75 / 40² of the
    // mean stays away.
    #expect(left < 5, "\(left)")
    // What has no noise keeps its texture.
    let unchanged = try givenBack(source, cut(source), width: width, height: height)
    #expect(zip(unchanged, source).allSatisfy { abs($0 - $1) < 1e-4 })
  }

  @Test("come back enlarged with what is enlarged")
  func enlarged() throws {
    let size = try PictureSize(width: 6, height: 5)
    // The left half is red and green beyond.
    let source = (0..<90).map { index in
      index / 3 % 6 < 3 ? [-40, 295, 120][index % 3] : 100 as Float
    }
    var excess = EnlargedExcess(size, factor: 4)
    var larger: [Float] = []
    BicubicEnlargement(width: 6, height: 5, factor: 4)(cut(source), into: &larger)
    var back = larger.map { $0 * 1.5 }
    excess.giveBack(source, to: &back)
    for (place, colors) in [(0, [-40, 295, 180]), (23, [150, 150, 150])] as [(Int, [Float])] {
      for (color, expected) in colors.enumerated() {
        #expect(abs(back[3 * (24 * 10 + place) + color] - expected) < 1e-3)
      }
    }
    // Without anything beyond it is cut, and that is all.
    back = larger.map { $0 * 3 }
    excess.giveBack(cut(source), to: &back)
    #expect(back == cut(larger.map { $0 * 3 }))
  }

  @Test("stay away where they are noise, and what networks make beyond is cut")
  func away() throws {
    // Black, of which the lower half of the noise is beyond, and restored to what is left.
    let source = noise(3 * 16 * 12).map { Float($0) / 255 * 40 - 20 }
    let back = try givenBack(source, source.map { _ in 5 })
    #expect(back.reduce(0) { $0 + abs($1 - 5) } / Float(back.count) < 0.3)
    let whole = [Float](repeating: 100, count: source.count)
    #expect(try givenBack(whole, whole.map { $0 * 3 }) == whole.map { _ in 255 })
    #expect(try givenBack(whole, whole.map { $0 - 200 }) == whole.map { _ in 0 })
  }
}
