import CKernels
import Foundation
import Kernels
import Testing

/// Motion and fusion on textures whose motion is known.
@Suite("In C, fusion along the motion")
struct CMotionTests {
  /// The C functions with canaries around all that they write.
  private struct Fused {
    let picture: [Float]
    /// How many pictures the light of each pixel is the average of.
    let weights: [Float]
    let flows: [[Float]]
    let isIntact: Bool
  }

  private func fused(
    _ own: [Float], with others: [[Float]], _ width: Int, _ height: Int, noise: Float,
    threads: Int32
  ) -> Fused {
    fused(own, with: others, width, height, levels: levelsOfWhite(noise), threads: threads)
  }

  /// - Parameter levels: the deviations of the noise in the light and in two differences of
  ///   colours.
  private func fused(
    _ own: [Float], with others: [[Float]], _ width: Int, _ height: Int, levels: [Float],
    threads: Int32
  ) -> Fused {
    func floats(_ memory: Guarded) -> UnsafeMutablePointer<Float> {
      memory.start.assumingMemoryBound(to: Float.self)
    }
    let scratch = Guarded(
      TDM_F32, count: max(tdm_motion_scratch_count(width, height), (width / 2) * (height / 2)))
    let pictures = ([own] + others).map { Guarded(TDM_F32, $0) }
    let pyramids = pictures.map { picture in
      let pyramid = Guarded(TDM_F32, count: tdm_motion_pyramid_count(width, height))
      tdm_motion_pyramid(floats(pyramid), floats(picture), width, height, floats(scratch), threads)
      return pyramid
    }
    let flows = pyramids.dropFirst().map { other in
      let flow = Guarded(TDM_F32, count: 2 * (width / 2) * (height / 2))
      tdm_motion(
        floats(flow), floats(pyramids[0]), floats(other), width, height, floats(scratch), threads)
      return flow
    }
    let bands = Guarded(TDM_F32, count: tdm_fusion_scratch_count(width, threads))
    let out = Guarded(TDM_F32, count: own.count)
    let weights = Guarded(TDM_F32, count: width * height)
    let neighbours = pictures.dropFirst().map { UnsafePointer(floats($0)) as UnsafePointer<Float>? }
    let motions = flows.map { UnsafePointer(floats($0)) as UnsafePointer<Float>? }
    var noise = tdm_noise_of(levels, [0, 0, 0], 0)
    tdm_fusion(
      floats(out), floats(pictures[0]), neighbours, motions, others.count, width, height, &noise,
      floats(weights), floats(bands), threads)
    let all = [scratch, bands, out, weights] + pictures + pyramids + flows
    return Fused(
      picture: out.values(TDM_F32), weights: weights.values(TDM_F32),
      flows: flows.map { $0.values(TDM_F32) },
      isIntact: withExtendedLifetime(all) { all.allSatisfy(\.isIntact) })
  }

  @Test(
    "finds how far a picture has moved",
    arguments: [(0, 0), (1.3, -0.6), (-4, 2.5), (11, 6), (0.25, 0.4)] as [(Float, Float)])
  func motion(dx: Float, dy: Float) {
    let (width, height) = (160, 120)
    withEachInstructionSet { isa in
      let result = fused(
        waves(width, height, noise: 8, noiseSeed: 1),
        with: [waves(width, height, dx: dx, dy: dy, noise: 8, noiseSeed: 2)], width, height,
        noise: 8, threads: 2)
      let area = (width / 2) * (height / 2)
      // What was at x is at x - dx now; the flow is in pixels of half the size.
      for (values, expected) in [(result.flows[0][..<area], -dx), (result.flows[0][area...], -dy)] {
        let errors = values.map { abs(2 * $0 - expected) }.sorted()
        #expect(errors[area / 2] < 0.15, "set \(isa): median error \(errors[area / 2])")
      }
      #expect(result.isIntact)
    }
  }

  @Test("finds motion through noise that patches alone take for motion")
  func motionInNoise() {
    let (width, height, dx, dy) = (160, 120, Float(1.7), Float(0.5))
    let area = (width / 2) * (height / 2)
    withEachInstructionSet { isa in
      // Mean distance from the true motion, of three scenes; without refinement 0.41.
      let errors = (1...3).map { (seed: UInt64) in
        let flow = fused(
          waves(width, height, seed: seed, noise: 25, noiseSeed: 1),
          with: [waves(width, height, seed: seed, dx: dx, dy: dy, noise: 25, noiseSeed: 2)],
          width, height, noise: 25, threads: 2
        ).flows[0]
        return (0..<area).reduce(Float(0)) {
          $0 + hypotf(2 * flow[$1] + dx, 2 * flow[area + $1] + dy)
        } / Float(area)
      }
      let mean = errors.reduce(0, +) / 3
      #expect(mean < 0.37, "set \(isa): \(errors)")
    }
  }

  @Test(
    "takes a moving scene's noise away",
    arguments: [(0, 0), (1.7, 0.5), (-5.2, 3)] as [(Float, Float)])
  func noise(dx: Float, dy: Float) {
    let (width, height, noise) = (128, 96, Float(15))
    let clean = waves(width, height)
    let own = waves(width, height, noise: noise, noiseSeed: 9)
    let others = [-2, -1, 1, 2].map { step in
      waves(
        width, height, dx: Float(step) * dx, dy: Float(step) * dy, noise: noise,
        noiseSeed: UInt64(20 + step))
    }
    withEachInstructionSet { isa in
      let result = fused(own, with: others, width, height, noise: noise, threads: 1)
      let gain = deviation(own, clean) / deviation(result.picture, clean)
      // Five frames would give the square root of 5; at the borders a neighbour has nothing to
      // give.
      #expect(gain > (dx == 0 ? 2 : 1.6), "set \(isa): \(gain)")
      let weights = result.weights.sorted()
      #expect(weights.first! >= 1 && weights.last! <= 5.001, "set \(isa)")
      #expect(weights[weights.count / 2] > 4.2, "set \(isa): \(weights[weights.count / 2])")
      #expect(result.isIntact)
    }
  }

  @Test("is no worse for another scene beside it")
  func otherScene() {
    let (width, height, noise) = (128, 96, Float(10))
    let own = waves(width, height, noise: noise, noiseSeed: 1)
    let others = (2...5).map { waves(width, height, seed: $0, noise: noise, noiseSeed: $0) }
    let result = fused(own, with: others, width, height, noise: noise, threads: 2)
    let clean = waves(width, height)
    #expect(deviation(result.picture, clean) < 1.02 * deviation(own, clean))
    #expect(result.weights.sorted()[width * height / 2] < 1.5)
  }

  @Test("leaves alone what has no noise")
  func clean() {
    let (width, height) = (128, 96)
    let own = waves(width, height)
    let others = (1...4).map { waves(width, height, dx: 1.3 * Float($0)) }
    let levels = noiseLevels(own, width, height)
    #expect(
      deviation(fused(own, with: others, width, height, levels: levels, threads: 2).picture, own)
        < 0.5)
  }

  @Test("keeps fine texture that a neighbour has lost, and takes its noise where it has it")
  func fineTexture() {
    let (width, height, noise) = (128, 96, Float(2))
    let coarse = waves(width, height)
    // As fine as pixels, the same in all colours; interpolation would blur it as the mean of two
    // does.
    var grain = Noise(50)
    let texture = (0..<width * height).map { _ in 6 * grain.normal() }
    func frame(_ share: Float, seed: UInt64) -> [Float] {
      var noises = Noise(seed)
      return coarse.indices.map { index in
        let pixel = index / 3
        let next = pixel % width == width - 1 ? pixel : pixel + 1
        return coarse[index] + share * texture[pixel] + (1 - share) * texture[next]
          + noise * noises.normal()
      }
    }
    let clean = coarse.indices.map { coarse[$0] + texture[$0 / 3] }
    let own = frame(1, seed: 60)
    withEachInstructionSet { isa in
      func left(_ share: Float) -> Float {
        let others = (61...64).map { frame(share, seed: $0) }
        let result = fused(own, with: others, width, height, noise: noise, threads: 2)
        #expect(result.isIntact)
        return deviation(result.picture, clean)
      }
      // Averaged it would be off by 2.8 levels, with the noise as it is by 2.
      let (blurred, sharp) = (left(0.5), left(1))
      #expect(blurred < 2.1, "set \(isa): \(blurred)")
      #expect(sharp < 1.1, "set \(isa): \(sharp)")
    }
  }

  @Test("averages what differs by less than the noise that it is told of, measured or not")
  func toldNoise() throws {
    let (width, height) = (64, 48)
    let fusion = try CPUDevice(precision: .f32, threads: 2)
      .makeMotionFusion(height: height, width: width)
    // The same but for a difference that is too coarse to be measured as noise.
    let pictures = [Float(0), 3].map { offset in
      let made = fusion.makePicture()
      fusion.load(waves(width, height).map { $0 + offset }, into: made)
      return made
    }
    func brightening(_ noise: Float) -> Float {
      var fused = [Float](repeating: 0, count: width * height * 3)
      fusion.fuse(pictures, at: 0, noise: noise, history: nil, into: &fused)
      return zip(fused, waves(width, height)).reduce(0) { $0 + $1.0 - $1.1 } / Float(fused.count)
    }
    #expect(brightening(0) < 0.1)
    #expect(brightening(20) > 1.4)
  }

  @Test(
    "has pictures of any size, and the same result for any number of threads",
    arguments: [(1, 1), (3, 2), (15, 40), (16, 16), (17, 33), (301, 18), (64, 97)])
  func sizes(width: Int, height: Int) {
    let own = waves(width, height, noise: 5, noiseSeed: 1)
    let others = (2...3).map { waves(width, height, noise: 5, noiseSeed: $0) }
    withEachInstructionSet { isa in
      let (one, several) = (
        fused(own, with: others, width, height, noise: 5, threads: 1),
        fused(own, with: others, width, height, noise: 5, threads: 3)
      )
      #expect(one.picture == several.picture && one.flows == several.flows, "set \(isa)")
      #expect(one.isIntact && several.isIntact)
      #expect(one.picture.allSatisfy { abs($0) < 1000 }, "set \(isa)")
    }
    #expect(fused(own, with: [], width, height, noise: 5, threads: 1).picture == own)
  }

  @Test("measures noise", arguments: [0, 1, 4, 10, 25] as [Float])
  func level(noise: Float) {
    let (width, height) = (256, 192)
    let found = noiseLevels(
      waves(width, height, noise: noise, noiseSeed: 3), width, height)
    expect(found, noise)
    // A dark half, in which what is below black is cut off.
    let night = waves(width, height, noise: noise, noiseSeed: 4).enumerated().map {
      $0 < width * height * 3 / 2 ? max($1 - 120, 0) : $1
    }
    let foundAtNight = noiseLevels(night, width, height)
    expect(foundAtNight, noise)
    #expect(noiseLevels([Float](repeating: 2, count: 32 * 32 * 3), 32, 32) == [0, 0, 0])
  }

  /// The picture's own detail is in the light, where half as much again is believed.
  private func expect(_ levels: [Float], _ noise: Float) {
    for (index, level) in levels.enumerated() {
      #expect(
        level > noise * 0.88 - 0.6 && level < (index == 0 ? 1.6 : 1.12) * noise + 1.1, "\(levels)")
    }
  }

  @Test(
    "measures the noise of video, whose colours are coarse, and takes it away",
    arguments: [1, 0] as [Float])
  func videoNoise(colour: Float) {
    let (width, height, noise) = (128, 96, Float(10))
    let clean = waves(width, height)
    let frames = (0..<5).map {
      withVideoNoise(clean, width, light: noise, colour: colour * noise, seed: UInt64(70 + $0))
    }
    let levels = noiseLevels(frames[0], width, height)
    #expect(levels[0] > 1.6 * noise && levels[0] < 2.7 * noise, "\(levels)")
    // Twice as large as each pixel's by itself: four pixels have it in common.
    let red = colour * noise * ((1.402 * 1.402 + 1.772 * 1.772) / 2 as Float).squareRoot()
    #expect(abs(levels[1] - 2 * red) < 0.25 * 2 * red + 0.5, "\(levels)")
    withEachInstructionSet { isa in
      let result = fused(
        frames[0], with: Array(frames[1...]), width, height, levels: levels, threads: 1)
      let gain = deviation(frames[0], clean) / deviation(result.picture, clean)
      #expect(gain > 2, "set \(isa): \(gain)")
      // What is measured among neighbours alone is too little to fuse by.
      let fine = fused(
        frames[0], with: Array(frames[1...]), width, height, noise: noise / 2, threads: 1)
      #expect(deviation(frames[0], clean) / deviation(fine.picture, clean) < 0.8 * gain)
    }
  }

  @Test("does not mix other colours of the same light into what has no noise of colour")
  func otherColours() {
    let (width, height, noise) = (128, 96, Float(10))
    let clean = waves(width, height)
    let own = withVideoNoise(clean, width, light: noise, colour: 0, seed: 1)
    let others = (2...5).map { seed in
      withVideoNoise(clean, width, light: noise, colour: 0, seed: seed).enumerated().map {
        $0 % 3 == 0 ? $1 + 6 : $0 % 3 == 2 ? $1 - 6 : $1
      }
    }
    let levels = noiseLevels(own, width, height)
    let result = fused(own, with: others, width, height, levels: levels, threads: 1).picture
    let redder = (0..<width * height).reduce(Float(0)) { $0 + result[3 * $1] - own[3 * $1] }
    #expect(abs(redder) / Float(width * height) < 0.5)
  }

  @Test("averages the colours of what has another light, and leaves that")
  func otherLight() {
    let (width, height, noise) = (128, 96, Float(10))
    let clean = waves(width, height)
    let frames = (1...5).map {
      withVideoNoise(clean, width, light: noise, colour: noise, seed: UInt64($0))
    }
    let others = frames.dropFirst().map { $0.map { $0 + 40 } }
    let levels = noiseLevels(frames[0], width, height)
    /// Luma, then what red and blue are beyond green.
    func parts(_ picture: [Float]) -> (light: [Float], colours: [Float]) {
      var (light, colours) = ([Float](), [Float]())
      for pixel in stride(from: 0, to: picture.count, by: 3) {
        let (red, green, blue) = (picture[pixel], picture[pixel + 1], picture[pixel + 2])
        light.append(0.299 * red + 0.587 * green + 0.114 * blue)
        colours += [red - green, blue - green]
      }
      return (light, colours)
    }
    let (own, known) = (parts(frames[0]), parts(clean))
    withEachInstructionSet { isa in
      let result = fused(frames[0], with: others, width, height, levels: levels, threads: 2)
      let given = parts(result.picture)
      #expect(deviation(given.light, own.light) < 0.1, "set \(isa)")
      #expect(result.weights.allSatisfy { $0 < 1.01 }, "set \(isa)")
      let gain = deviation(own.colours, known.colours) / deviation(given.colours, known.colours)
      #expect(gain > 1.8, "set \(isa): \(gain)")
      #expect(result.isIntact)
    }
  }
}
