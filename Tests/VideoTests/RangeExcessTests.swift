import Testing

@testable import Video

@Suite("Colours beyond RGB's range") struct RangeExcessTests {
  private static let size = try! PictureSize(width: 16, height: 12)

  private func givenBack(_ source: [Float], _ restored: [Float]) -> [Float] {
    var excess = RangeExcess(Self.size)
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
    "come back whole where nothing was changed: every code does",
    arguments: [
      "yuv420p", "yuv422p10le", "yuv411p", "yuv444p", "yuvj420p", "nv12", "yuyv422", "gray",
      "gray16le",
    ])
  func unchanged(name: String) throws {
    let format = try stream(name, 16, 12)
    // Noise has every code of 8 bits; above, what is not a sample's must be 0.
    let whole = frame(format, noise(format.layout.byteCount))
    let once =
      format.pixelFormat.components[0].depth == 10 ? encoded(decoded(whole, format), format) : whole
    let source = decoded(once, format)
    #expect(source.contains { $0 < -5 || $0 > 260 } || name == "gray" || name == "gray16le")
    #expect(cut(source).allSatisfy { (0...255).contains($0) })
    let back = givenBack(source, cut(source))
    #expect(zip(back, source).allSatisfy { abs($0 - $1) < 1e-4 })
    let isShared = format.pixelFormat.log2ChromaWidth > 0
    for component in format.pixelFormat.components.indices {
      let largest = Float(format.pixelFormat.components[component].largest)
      let (one, other) = (codes(encoded(back, format), component), codes(once, component))
      let off = zip(one, other).map { abs($0 - $1) }.max()!
      // Bringing shared colours back is exact for pictures, and nearly so for noise.
      #expect(
        off <= (component == 0 || !isShared ? 0 : largest / 50), "component \(component): \(off)")
    }
  }

  @Test("come back by how much larger they are than what was changed about them")
  func share() {
    var source = [Float](repeating: 100, count: 3 * 16 * 12)
    let places = [(y: 6, x: 8), (y: 0, x: 0)].map { 3 * ($0.y * 16 + $0.x) }
    for place in places { source[place] = 275 }
    var restored = cut(source).map { $0 + 1 }
    for place in places { restored[place] = 254 }
    let back = givenBack(source, restored)
    // Each of the three is changed by 1, in the whole window: its mean square is 3.
    for place in places {
      #expect(abs(back[place] - (254 + 20 * (1 - 8 * 3 / 400))) < 1e-3, "\(back[place])")
    }
    #expect(back[3 * 50] == 101)
  }

  @Test("stay away where they are noise, and what networks make beyond is cut")
  func away() {
    // Black, of which the lower half of the noise is beyond, and restored to what is left.
    let source = noise(3 * 16 * 12).map { Float($0) / 255 * 40 - 20 }
    let back = givenBack(source, source.map { _ in 5 })
    #expect(back.reduce(0) { $0 + abs($1 - 5) } / Float(back.count) < 0.1)
    #expect(back.allSatisfy { $0 > 0 })
    let whole = [Float](repeating: 100, count: source.count)
    #expect(givenBack(whole, whole.map { $0 * 3 }) == whole.map { _ in 255 })
    #expect(givenBack(whole, whole.map { $0 - 200 }) == whole.map { _ in 0 })
  }
}
