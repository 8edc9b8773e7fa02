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

  /// Adds the same to squares of so many pixels' sides, and to all colours.
  private func noisy(
    _ clean: [Float], _ noise: Float, squares side: Int, width: Int = Self.width, seed: UInt64
  ) -> [Float] {
    var grain = Noise(seed)
    let values = grain.normals(clean.count / 3, times: noise)
    return clean.indices.map {
      let (x, y) = ($0 / 3 % width, $0 / 3 / width)
      return clean[$0] + values[y / side * width + x / side]
    }
  }

  /// What is found in the first of the pictures, with canaries around all that is written.
  /// - Parameter moving: whether the motion is looked for.
  private func found(
    _ pictures: [[Float]], _ width: Int = Self.width, _ height: Int = Self.height,
    moving: Bool = true
  ) -> Float {
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
    return withExtendedLifetime((pyramids, flows)) {
      let others = pyramids.dropFirst().map { UnsafePointer(floats($0)) as UnsafePointer<Float>? }
      let motions = flows.map { UnsafePointer(floats($0)) as UnsafePointer<Float>? }
      let noise = tdm_noise_along_motion(
        floats(pyramids[0]), others, motions, others.count, width, height)
      #expect((pyramids + flows).allSatisfy { $0.isIntact })
      return noise
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
    #expect(found(pictures) > 12)
    let still = (0..<3).map { _ in noisy(scene(), 5, squares: 4, seed: 0) }
    #expect(found(still) == 0, "what is the same in every frame is no noise")
  }

  @Test("takes white noise for no more than it is", arguments: [6, 14, 30] as [Float])
  func white(noise: Float) {
    let pictures = (0..<3).map { noisy(scene(), noise, squares: 1, seed: UInt64($0)) }
    let light = 3.0.squareRoot() * Double(noise)
    let level = Double(found(pictures))
    #expect(level > 0.5 * light && level < light, "\(level) of \(light)")
  }

  @Test("takes neither motion nor fading for noise")
  func clean() {
    let moved = [0, 2.3, -1.6].map { scene(dx: $0, wavesFrom: -9) }
    #expect(found(moved) == 0)
    #expect(found(moved, moving: false) > 20, "nor would it if it did not follow the motion")
    #expect(found([scene(), scene().map { $0 * 0.9 }, scene().map { $0 * 1.1 }]) == 0)
  }

  @Test("believes the neighbour that shows the same where others show something else")
  func other() {
    let other = scene().reversed().map { 255 - $0 }
    var grain = Noise(9)
    let coarse = noisy(other, 40, squares: 8, seed: 7).map { $0 + grain.normal() }
    #expect(found([scene(), coarse, noisy(coarse, 40, squares: 4, seed: 8)]) > 20)
    #expect(found([scene(), coarse, scene(dx: 0.5), noisy(coarse, 40, squares: 4, seed: 8)]) == 0)
  }

  @Test("has nothing to say where there is nothing to be compared")
  func nothing() {
    #expect(found([noisy(scene(), 20, squares: 4, seed: 1)]) == 0)
    let black = (0..<3).map {
      noisy([Float](repeating: 4, count: 3 * 128 * 96), 20, squares: 4, seed: UInt64($0)).map {
        min(max($0, 0), 5)
      }
    }
    #expect(found(black) == 0)
    for (width, height) in [(1, 1), (15, 64), (64, 15)] {
      let small = (0..<2).map {
        noisy(scene(width, height), 20, squares: 4, width: width, seed: UInt64($0))
      }
      #expect(found(small, width, height) == 0)
    }
  }

  @Test("reads no farther than the border, wherever motion leads")
  func far() {
    let (width, height) = (18, 17)
    let count = 2 * (width / 2) * (height / 2)
    let picture = noisy(scene(width, height), 10, squares: 2, width: width, seed: 3)
    var pyramid = [Float](repeating: 0, count: tdm_motion_pyramid_count(width, height))
    var scratch = [Float](repeating: 0, count: (width / 2) * (height / 2))
    tdm_motion_pyramid(&pyramid, picture, width, height, &scratch, 1)
    let found = [1e9, .infinity, -1e9, -.infinity, .nan].map { (offset: Float) in
      pyramid.withUnsafeBufferPointer { pyramid in
        [Float](repeating: offset, count: count).withUnsafeBufferPointer { flow in
          tdm_noise_along_motion(
            pyramid.baseAddress, [pyramid.baseAddress], [flow.baseAddress], 1, width, height)
        }
      }
    }
    // All of the neighbour is then one of its corners.
    #expect(found[0] > 5 && found[2] > 5, "\(found)")
    #expect(found[1] == found[0] && found[3] == found[2] && found[4] == found[2], "\(found)")
  }

  @Test("makes fusion average what an encoder left of noise")
  func fused() throws {
    let (width, height) = (Self.width, Self.height)
    let clean = scene()
    let fusion = try CPUDevice(precision: .f32, threads: 1)
      .makeMotionFusion(height: height, width: width)
    let pictures = (0..<5).map { seed in
      let picture = fusion.makePicture()
      fusion.load(noisy(clean, 5, squares: 4, seed: UInt64(seed)), into: picture)
      return picture
    }
    var fused = [Float](repeating: 0, count: clean.count)
    fusion.fuse(pictures, at: 2, noise: 0, keepsDetail: false, history: nil, into: &fused)
    let left = zip(fused, clean).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    // Of five frames' mean 2.2 would be left.
    #expect((left / Float(clean.count)).squareRoot() < 2.8)
  }
}
