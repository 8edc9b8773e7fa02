import CKernels
import Foundation
import Kernels
import Testing

/// Noise by what neighbours show differently, where neighbouring pixels show little of it.
@Suite("In C, noise along the motion")
struct CNoiseAlongMotionTests {
  private static let (width, height) = (128, 96)

  /// A gentle slope, from a place on with waves, 0...255, seen `dx` pixels farther to the right.
  private func scene(
    _ width: Int = Self.width, _ height: Int = Self.height, dx: Float = 0, wavesFrom: Float = 64
  ) -> [Float] {
    (0..<height * width).flatMap { pixel in
      let (x, y) = (Float(pixel % width) + dx, Float(pixel / width))
      let waves = x < wavesFrom ? 0 : 30 * sinf(0.25 * x + 0.1 * y) + 20 * sinf(0.3 * y)
      return [Float](repeating: 120 + 0.3 * x + waves, count: 3)
    }
  }

  /// Adds the same to squares of so many pixels' sides, or what lies between that of their middles.
  /// - Parameter channels: as how much of it is added to red, green and blue.
  private func noisy(
    _ clean: [Float], _ noise: Float, squares side: Int, width: Int = Self.width, seed: UInt64,
    channels: [Float] = [1, 1, 1], soft: Bool = false
  ) -> [Float] {
    var grain = Noise(seed)
    let values = grain.normals(clean.count / 3, times: noise)
    return clean.indices.map {
      let (x, y) = ($0 / 3 % width, $0 / 3 / width)
      var value = values[y / side * width + x / side]
      if soft {
        let (u, v) = (Float(x % side) / Float(side), Float(y % side) / Float(side))
        let corner = y / side * width + x / side
        value = (value * (1 - u) + values[corner + 1] * u) * (1 - v)
        value += (values[corner + width] * (1 - u) + values[corner + width + 1] * u) * v
      }
      return clean[$0] + value * channels[$0 % 3]
    }
  }

  /// What changes both colours by 1, and no luma.
  private static let orange: [Float] = [1.2954, -0.6367, -0.1188]
  /// What changes the first alone, (r - b) / sqrt 2.
  private static let redToBlue: [Float] = [1, -0.185 / 0.587, -1].map { $0 / Float(2).squareRoot() }

  /// What is found in the first of the pictures, with canaries around all that is written.
  /// - Parameter moving: whether the motion is looked for.
  private func found(
    _ pictures: [[Float]], _ width: Int = Self.width, _ height: Int = Self.height,
    moving: Bool = true
  ) -> [Float] {
    func floats(_ memory: Guarded) -> UnsafeMutablePointer<Float> {
      memory.start.assumingMemoryBound(to: Float.self)
    }
    let scratch = Guarded(
      TDM_F32, count: max(tdm_motion_scratch_count(width, height), (width / 2) * (height / 2)))
    let pyramids = pictures.map { picture in
      let pyramid = Guarded(TDM_F32, count: tdm_motion_pyramid_count(width, height))
      tdm_motion_pyramid(floats(pyramid), picture, width, height, floats(scratch), 1)
      return pyramid
    }
    let flows = pyramids.dropFirst().map { other in
      let flow = Guarded(TDM_F32, count: 2 * (width / 2) * (height / 2))
      tdm_motion(
        floats(flow), floats(pyramids[0]), floats(other), width, height, floats(scratch), 1)
      if !moving {
        floats(flow).update(repeating: 0, count: 2 * (width / 2) * (height / 2))
      }
      return flow
    }
    let kept = pictures.map { Guarded(TDM_F32, $0) }
    let levels = Guarded(TDM_F32, count: 3)
    return withExtendedLifetime((pyramids, flows, kept)) {
      func pointers(_ memories: some Sequence<Guarded>) -> [UnsafePointer<Float>?] {
        memories.map { UnsafePointer(floats($0)) }
      }
      tdm_noise_along_motion(
        floats(levels), floats(kept[0]), floats(pyramids[0]), pointers(kept.dropFirst()),
        pointers(pyramids.dropFirst()), pointers(flows), flows.count, width, height)
      #expect((pyramids + flows + kept + [levels]).allSatisfy { $0.isIntact })
      return levels.values(TDM_F32)
    }
  }

  private func spatially(_ picture: [Float]) -> Float {
    var levels: [Float] = [0, 0, 0]
    tdm_noise_levels(&levels, picture, Self.width, Self.height)
    return levels[0]
  }

  @Test("finds coarse noise, of which neighbouring pixels show little")
  func coarse() {
    let pictures = (0..<3).map { noisy(scene(), 5, squares: 4, seed: UInt64($0)) }
    #expect(spatially(pictures[0]) < 4)
    // In units of white noise it is larger than it is: less of that is left at half the size.
    #expect(found(pictures)[0] > 12)
    #expect(found(pictures).dropFirst().allSatisfy { $0 == 0 }, "all of it is in the light")
    let still = (0..<3).map { _ in noisy(scene(), 5, squares: 4, seed: 0) }
    #expect(found(still) == [0, 0, 0], "what is the same in every frame is no noise")
  }

  @Test("finds blotches of colour, of the one that they are of, where the light has no noise")
  func blotches() {
    let pictures = (0..<3).map {
      noisy(scene(), 8, squares: 8, seed: UInt64($0), channels: Self.redToBlue)
    }
    var spatially: [Float] = [0, 0, 0]
    tdm_noise_levels(&spatially, pictures[0], Self.width, Self.height)
    #expect(spatially[1] < 4)
    let levels = found(pictures)
    // Of white noise so much would be left of the means of 4 x 4 pixels.
    #expect(levels[1] > 0.7 * 4 * 8 && levels[1] < 1.4 * 4 * 8, "\(levels)")
    #expect(levels[0] == 0 && levels[2] < levels[1] / 3, "\(levels)")
  }

  @Test("takes no shift of all colours for noise")
  func shift() {
    let shifted = [Float(-12), 12].map { shift in
      scene().enumerated().map { $1 + shift * Self.redToBlue[$0 % 3] }
    }
    #expect(found([scene()] + shifted) == [0, 0, 0])
  }

  @Test("adds to what is measured what is coarser, in the light to what is finer as well")
  func together() {
    let noise = tdm_noise_of([1, 5, 2], [3, 4, 6], 0)
    #expect([noise.coarse.0, noise.coarse.1, noise.coarse.2] == [3, 5, 6])
    #expect([noise.fine.0, noise.fine.1, noise.fine.2] == [3, 5, 2])
    let least = tdm_noise_of([1, 5, 2], [3, 4, 6], 4)
    #expect([least.coarse.0, least.coarse.1, least.coarse.2] == [4, 5, 6])
    #expect([least.fine.0, least.fine.1, least.fine.2] == [4, 5, 4])
  }

  @Test("takes white noise for no more than it is", arguments: [6, 14, 30] as [Float])
  func white(noise: Float) {
    let pictures = (0..<3).map { noisy(scene(), noise, squares: 1, seed: UInt64($0)) }
    let light = 3.0.squareRoot() * Double(noise)
    let level = Double(found(pictures)[0])
    #expect(level > 0.7 * light && level < 1.1 * light, "\(level) of \(light)")
  }

  @Test("takes neither motion nor fading for noise")
  func clean() {
    let moved = [0, 2.3, -1.6].map { scene(dx: $0, wavesFrom: -9) }
    #expect(found(moved) == [0, 0, 0])
    #expect(found(moved, moving: false)[0] > 20, "nor would it if it did not follow the motion")
    #expect(found([scene(), scene().map { $0 * 0.9 }, scene().map { $0 * 1.1 }]) == [0, 0, 0])
    let coloured = moved.map { $0.enumerated().map { $1 * [1.3, 1, 0.7][$0 % 3] } }
    #expect(found(coloured) == [0, 0, 0])
    #expect(found(coloured, moving: false)[1] > 5, "nor would it if it did not follow the motion")
  }

  @Test("believes the neighbour that shows the same where others show something else")
  func other() {
    let other = scene().reversed().map { 255 - $0 }
    var grain = Noise(9)
    let coarse = noisy(other, 40, squares: 8, seed: 7).map { $0 + grain.normal() }
    #expect(found([scene(), coarse, noisy(coarse, 40, squares: 4, seed: 8)])[0] > 20)
    #expect(
      found([scene(), coarse, scene(dx: 0.5), noisy(coarse, 40, squares: 4, seed: 8)]) == [0, 0, 0])
  }

  @Test("has nothing to say where there is nothing to be compared")
  func nothing() {
    #expect(found([noisy(scene(), 20, squares: 4, seed: 1)]) == [0, 0, 0])
    let black = (0..<3).map {
      noisy([Float](repeating: 4, count: 3 * 128 * 96), 20, squares: 4, seed: UInt64($0)).map {
        min(max($0, 0), 5)
      }
    }
    #expect(found(black) == [0, 0, 0])
    for (width, height) in [(1, 1), (15, 64), (64, 15)] {
      let small = (0..<2).map {
        noisy(scene(width, height), 20, squares: 4, width: width, seed: UInt64($0))
      }
      #expect(found(small, width, height) == [0, 0, 0])
    }
  }

  @Test("reads no farther than the border, wherever motion leads")
  func far() {
    let (width, height) = (18, 17)
    let count = 2 * (width / 2) * (height / 2)
    let picture = noisy(
      scene(width, height), 10, squares: 2, width: width, seed: 3, channels: [1, 0, 0.5])
    var pyramid = [Float](repeating: 0, count: tdm_motion_pyramid_count(width, height))
    var scratch = [Float](repeating: 0, count: (width / 2) * (height / 2))
    tdm_motion_pyramid(&pyramid, picture, width, height, &scratch, 1)
    let found = [1e9, .infinity, -1e9, -.infinity, .nan].map { (offset: Float) in
      pyramid.withUnsafeBufferPointer { pyramid in
        picture.withUnsafeBufferPointer { picture in
          [Float](repeating: offset, count: count).withUnsafeBufferPointer { flow in
            var levels: [Float] = [-1, -1, -1]
            tdm_noise_along_motion(
              &levels, picture.baseAddress, pyramid.baseAddress, [picture.baseAddress],
              [pyramid.baseAddress], [flow.baseAddress], 1, width, height)
            return levels
          }
        }
      }
    }
    // All of the neighbour is then one of its corners.
    #expect([found[0], found[2]].allSatisfy { $0.allSatisfy { $0 > 3 } }, "\(found)")
    #expect(found[1] == found[0] && found[3] == found[2] && found[4] == found[2], "\(found)")
  }

  @Test(
    "makes fusion average what an encoder left of noise, and blotches of colour",
    arguments: [([1, 1, 1], false), (orange, true)])
  func fused(channels: [Float], soft: Bool) throws {
    let (width, height) = (Self.width, Self.height)
    let clean = scene()
    let fusion = try CPUDevice(precision: .f32, threads: 1)
      .makeMotionFusion(height: height, width: width)
    let frames = (0..<5).map { (seed: UInt64) in
      // And a little of a camera's own.
      var grain = Noise(90 + seed)
      return noisy(clean, 5, squares: 4, seed: seed, channels: channels, soft: soft)
        .map { $0 + 0.5 * grain.normal() }
    }
    let pictures = frames.map {
      let picture = fusion.makePicture()
      fusion.load($0, into: picture)
      return picture
    }
    var fused = [Float](repeating: 0, count: clean.count)
    fusion.fuse(pictures, at: 2, noise: 0, history: nil, into: &fused)
    let errors = [fused, frames[2]].map {
      zip($0, clean).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
    }
    // Of five frames' mean 0.45 would be left.
    #expect(errors[0] / errors[1] < 0.6, "\(errors[0] / errors[1])")
  }
}
