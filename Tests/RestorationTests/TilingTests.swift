import Testing

@testable import Restoration

@Suite struct TilingTests {
  private static let sizes = [
    (height: 400, width: 400), (height: 720, width: 1280), (height: 1083, width: 517),
    (height: 2160, width: 3840), (height: 90, width: 4000),
  ]

  @Test(
    "In one piece a frame is padded by its edge and comes back as itself", arguments: [1, 4, 64])
  func wholeness(multiple: Int) {
    for (height, width) in [(1, 1), (5, 7), (16, 16), (17, 33)] {
      let canvas = Canvas(height: height, width: width, multiple: multiple)
      #expect(canvas.paddedHeight % multiple == 0 && canvas.paddedHeight < height + multiple)
      #expect(canvas.paddedWidth % multiple == 0 && canvas.paddedWidth < width + multiple)
      let tiling = Tiling(canvas)
      #expect(tiling.count == 1)
      let frame = (0..<canvas.frameCount).map { Float($0 * 37 % 256) }
      var picture = [Float](repeating: .nan, count: tiling.pictureCount)
      tiling.cut(0, from: frame, into: &picture)
      for index in picture.indices {
        let y = min(index / 3 / canvas.paddedWidth, height - 1)
        let x = min(index / 3 % canvas.paddedWidth, width - 1)
        #expect(picture[index] == frame[(y * width + x) * 3 + index % 3] / 127.5 - 1)
      }
      var back = [Float](repeating: .nan, count: canvas.frameCount)
      tiling.add(0, picture, by: tiling.weights(), to: &back)
      #expect(zip(back, frame).allSatisfy { abs($0 - $1) < 1e-4 })
    }
  }

  @Test("Tiles lie on multiples, overlap, and cover the picture", arguments: [1, 8, 16, 64])
  func geometry(multiple: Int) {
    for size in Self.sizes {
      let canvas = Canvas(height: size.height, width: size.width, multiple: multiple)
      let candidates = Tiling.candidates(canvas)
      #expect(candidates.first == Tiling(canvas))
      #expect(size.height < 720 || candidates.count > 1)
      for tiling in candidates {
        #expect(tiling.height % multiple == 0 && tiling.width % multiple == 0)
        var covered = Set<Int>()
        for tile in 0..<tiling.count {
          let (y, x) = tiling.origin(of: tile)
          #expect(y % multiple == 0 && x % multiple == 0)
          #expect(
            y + tiling.height <= canvas.paddedHeight && x + tiling.width <= canvas.paddedWidth)
          covered.formUnion([y, y + tiling.height, -1 - x, -1 - x - tiling.width])
        }
        #expect(covered.isSuperset(of: [0, canvas.paddedHeight, -1, -1 - canvas.paddedWidth]))
      }
    }
  }

  @Test(
    "At every place the weights of all pieces add up to 1, and change little from pixel to pixel")
  func weights() throws {
    var cutCount = 0
    for side in [512, 704, 1083, 1280, 3840, 8192] {
      for multiple in [1, 8, 64] {
        let padded = (side + multiple - 1) / multiple * multiple
        for pieces in 1...20 {
          guard let cut = Cut(padded, pieces: pieces, multiple: multiple) else { continue }
          cutCount += 1
          #expect(cut.starts.count == pieces && cut.starts.last! + cut.length == padded)
          for (a, b) in zip(cut.starts, cut.starts.dropFirst()) {
            #expect(a < b && a + cut.length - b >= Cut.leastOverlap)
          }
          var sums = [Float](repeating: 0, count: padded)
          for (start, weights) in zip(cut.starts, cut.weights()) {
            for (place, weight) in weights.enumerated() { sums[start + place] += weight }
            #expect(zip(weights, weights.dropFirst()).allSatisfy { abs($0 - $1) < 0.03 })
          }
          #expect(sums.allSatisfy { abs($0 - 1) < 1e-6 })
        }
      }
    }
    #expect(cutCount > 50)
  }

  @Test("A frame cut into tiles and joined again is itself")
  func joining() throws {
    let canvas = Canvas(height: 461, width: 903, multiple: 8)
    let frame = (0..<canvas.frameCount).map { Float($0 * 37 % 256) }
    var joined = [Float](repeating: .nan, count: canvas.frameCount)
    for tiling in Tiling.candidates(canvas) {
      var picture = [Float](repeating: .nan, count: tiling.pictureCount)
      let weights = tiling.weights()
      for tile in 0..<tiling.count {
        tiling.cut(tile, from: frame, into: &picture)
        tiling.add(tile, picture, by: weights, to: &joined)
      }
      let difference = zip(joined, frame).map { abs($0 - $1) }.max()!
      #expect(difference < 1e-3, "\(tiling.count) tiles of \(tiling.width)x\(tiling.height)")
    }
  }
}
