import CKernels
import Testing

@Suite("Work on videos in C")
struct CVideoTests {
  /// The frame that a frame is enlarged from: the first alone where their number is odd.
  private func source(_ t: Int, of frames: Int, to outFrames: Int) -> Int {
    guard outFrames > 1, outFrames % 2 == 1 else { return t * frames / outFrames }
    return t == 0 ? 0 : 1 + (t - 1) * (frames - 1) / (outFrames - 1)
  }

  /// Where each pixel of the larger video lies in the smaller one.
  private func places(
    _ from: (Int, Int, Int), _ to: (Int, Int, Int)
  ) -> [Int] {
    (0..<to.0).flatMap { t in
      (0..<to.1).flatMap { y in
        (0..<to.2).map { x in
          (source(t, of: from.0, to: to.0) * from.1 + y * from.1 / to.1) * from.2
            + x * from.2 / to.2
        }
      }
    }
  }

  private func extents(_ e: (Int, Int, Int)) -> tdm_extents {
    tdm_extents(frames: e.0, height: e.1, width: e.2)
  }

  private static let enlargements = [
    ((1, 2, 3), (1, 4, 6)), ((2, 2, 2), (4, 4, 4)), ((3, 2, 3), (5, 4, 6)), ((5, 1, 1), (9, 2, 2)),
    ((3, 3, 2), (9, 3, 2)), ((3, 2, 2), (3, 4, 4)), ((2, 1, 2), (8, 8, 16)),
  ]

  @Test("Enlarging keeps the first of an odd number of frames", arguments: enlargements)
  func enlarging(from: (Int, Int, Int), to: (Int, Int, Int)) {
    var noise = Noise(1)
    let channels = 5
    for type in tdm_type.all {
      let x = type.rounded(noise.normals(from.0 * from.1 * from.2 * channels))
      let expected = places(from, to).flatMap { place in
        (0..<channels).map { x[place * channels + $0] }
      }
      for threads: Int32 in [1, 2] {
        let input = Guarded(type, x)
        let out = Guarded(type, count: expected.count)
        tdm_upsample_nearest(
          type, out.start, extents(to), input.start, extents(from), channels, threads)
        #expect(out.values(type) == expected && out.isIntact)
      }
    }
  }

  @Test("Modulation reads its factors where an enlargement would", arguments: enlargements)
  func modulation(from: (Int, Int, Int), to: (Int, Int, Int)) {
    var noise = Noise(2)
    for (type, channels) in [(TDM_F32, 3), (TDM_BF16, 40), (TDM_F32, 33)] {
      let coarse = from.0 * from.1 * from.2 * channels
      let x = type.rounded(noise.normals(to.0 * to.1 * to.2 * channels))
      let factor = type.rounded(noise.normals(coarse))
      let addend = type.rounded(noise.normals(coarse))
      for activation in [TDM_NONE, TDM_SILU] {
        let expected = places(from, to).enumerated().flatMap { pixel, place in
          (0..<channels).map { c in
            activated(
              Double(x[pixel * channels + c]) * Double(factor[place * channels + c])
                + Double(addend[place * channels + c]), activation)
          }
        }
        withEachInstructionSet { isa in
          for threads: Int32 in [1, 2] {
            // In place.
            let out = Guarded(type, x)
            let (factors, addends) = (Guarded(type, factor), Guarded(type, addend))
            tdm_modulate_nearest(
              type, out.start, out.start, extents(to), factors.start, addends.start, extents(from),
              channels, activation, threads)
            #expect(factors.isIntact && addends.isIntact)
            let distance = Distance(out.values(type), from: expected)
            #expect(distance.relative < type.tolerance && out.isIntact, "set \(isa): \(distance)")
          }
        }
      }
    }
  }

  @Test("Frames are averaged in pairs, the first of an odd number alone", arguments: 1...9)
  func pairMeans(frames: Int) {
    var noise = Noise(3)
    for (type, count) in [(TDM_F32, 7), (TDM_BF16, 50), (TDM_F32, 20000)] {
      let x = type.rounded(noise.normals(frames * count))
      let odd = frames % 2
      let expected = (0..<(frames + 1) / 2).flatMap { t in
        (0..<count).map { i -> Double in
          if t < odd { return Double(x[i]) }
          let first = (2 * t - odd) * count + i
          return (Double(x[first]) + Double(x[first + count])) / 2
        }
      }
      for threads: Int32 in [1, 2] {
        let input = Guarded(type, x)
        let out = Guarded(type, count: expected.count)
        tdm_pair_means(type, out.start, input.start, frames, count, threads)
        let distance = Distance(out.values(type), from: expected)
        #expect(distance.relative < type.tolerance && out.isIntact, "\(distance)")
      }
    }
  }

  @Test(
    "Patches are laid side by side", arguments: [(1, 1, 1, 1, 1), (2, 3, 4, 5, 2), (1, 2, 3, 1, 3)])
  func patches(frames: Int, height: Int, width: Int, channels: Int, size: Int) {
    var noise = Noise(4)
    for type in tdm_type.all {
      let patch = channels * size * size
      let x = type.rounded(noise.normals(frames * height * width * patch))
      let expected = (0..<frames).flatMap { t in
        (0..<height * size).flatMap { y in
          (0..<width * size).flatMap { column in
            (0..<channels).map { c in
              let at = (t * height + y / size) * width + column / size
              return x[at * patch + (c * size + y % size) * size + column % size]
            }
          }
        }
      }
      let input = Guarded(type, x)
      let out = Guarded(type, count: x.count)
      tdm_unpatchify(
        type, out.start, input.start,
        tdm_extents(frames: frames, height: height, width: width), channels, size, 2)
      #expect(out.values(type) == expected && out.isIntact)
    }
  }
}
