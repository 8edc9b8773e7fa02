import Kernels
import TensorCore
import Testing

@testable import Diffusion
@testable import Restoration

@Suite struct StreamingTests {
  @Test(
    "Every chunk and lookahead gives what the reference gives, frame by frame",
    arguments: OptionCase.all)
  func streamingEqualsTheReference(_ optionCase: OptionCase) throws {
    for (chunk, lookahead) in [(0, 0), (1, 0), (1, 3), (2, 1), (4, 2), (5, 0), (7, 4)] {
      for count in [0, 1, 2, 3, 6, 7, 11] {
        var options = PlainStream.options(optionCase.change)
        options.chunk = chunk
        options.lookahead = lookahead
        let frames = PlainStream.frames(count)
        let restored = try PlainStream.restore(frames, options)
        let reference = PlainReference(
          options: options, schedule: try PlainStream.schedule(), canvas: PlainStream.canvas)
        let expected = reference.restore(frames)
        #expect(restored.count == count)
        for (frame, (a, b)) in zip(restored, expected).enumerated() {
          let difference = zip(a, b).map { abs($0 - $1) }.max()!
          #expect(
            difference < 0.05, "frame \(frame) of \(count), chunk \(chunk), lookahead \(lookahead)")
        }
      }
    }
  }

  @Test("A frame leaves as soon as its chunk and lookahead are there")
  func latency() throws {
    for (chunk, lookahead) in [(1, 0), (1, 3), (4, 2)] {
      let options = PlainStream.options {
        $0.chunk = chunk
        $0.lookahead = lookahead
      }
      let restorer = try PlainStream.makeRestorer(options).restorer
      #expect(restorer.options.latency == chunk + lookahead)
      var left = 0
      for (index, frame) in PlainStream.frames(20).enumerated() {
        try restorer.push(frame) { _ in left += 1 }
        let expected = max(0, index + 1 - lookahead) / chunk * chunk
        #expect(left == expected)
        #expect(restorer.heldFrameCount == index + 1 - left)
        #expect(restorer.heldFrameCount < chunk + lookahead)
      }
      try restorer.finish { _ in left += 1 }
      #expect(left == 20)
    }
  }

  @Test("Where no window reads later frames none is waited for, nor held")
  func uselessLookahead() throws {
    for change in [
      OptionCase("radius 0") { $0.radius = 0 }, OptionCase("self") { $0.attention = .self },
      OptionCase("first") { $0.attention = .first },
    ] {
      func options(lookahead: Int) -> RestorationOptions {
        PlainStream.options {
          $0.chunk = 2
          $0.lookahead = lookahead
          change.change(&$0)
        }
      }
      let (restorer, networks) = try PlainStream.makeRestorer(options(lookahead: 3))
      let without = try PlainStream.makeRestorer(options(lookahead: 0)).restorer
      #expect(restorer.options.latency == 2 && restorer.memory == without.memory)
      #expect(try restorer.rehearse().groupSize == 2)
      let frames = PlainStream.frames(5)
      #expect(try restorer.restore(frames) == without.restore(frames))
      #expect(networks.groupSizes.max() == 2)
    }
  }

  @Test("Each frame is encoded and inverted once, on arrival")
  func workIsDoneOnce() throws {
    let options = PlainStream.options {
      $0.chunk = 2
      $0.lookahead = 2
    }
    let (restorer, networks) = try PlainStream.makeRestorer(options)
    let frames = PlainStream.frames(3)
    for (index, frame) in frames.enumerated() {
      try restorer.push(frame) { _ in Issue.record("nothing can leave yet") }
      #expect(networks.encodeCount == index + 1)
      #expect(networks.groupSizes == Array(repeating: 1, count: 2 * (index + 1)))
    }
    try restorer.finish { _ in }
    // Two moves up for each frame, three down for the group of 2 + 1 and three for the last frame.
    #expect(networks.groupSizes.suffix(6) == [3, 3, 3, 1, 1, 1])
    #expect(restorer.statistics.framesIn == 3 && restorer.statistics.framesOut == 3)
    #expect(restorer.statistics.invert.count == 3 && restorer.statistics.decode.count == 3)
  }

  @Test("A running stream makes no new tensors")
  func tensorsAreUsedAgain() throws {
    let (restorer, networks) = try PlainStream.makeRestorer(
      PlainStream.options {
        $0.chunk = 3
        $0.lookahead = 2
        $0.guidance = 2
      })
    let frames = PlainStream.frames(40)
    for frame in frames.prefix(10) { try restorer.push(frame) { _ in } }
    let count = networks.tensorCount
    for frame in frames.dropFirst(10) { try restorer.push(frame) { _ in } }
    #expect(networks.tensorCount == count)
  }

  @Test("A frame's memory is the caller's again once it is taken")
  func callersMemory() throws {
    let (restorer, _) = try PlainStream.makeRestorer(
      PlainStream.options {
        $0.chunk = 2
        $0.colorFix = .wavelet
        $0.amount = 0.5
      })
    func place(_ frame: inout [Float]) -> Int {
      frame.withUnsafeMutableBufferPointer { Int(bitPattern: $0.baseAddress) }
    }
    var frame = PlainStream.frames(1)[0]
    let before = place(&frame)
    for number in 0..<7 {
      frame[0] = Float(number)
      try restorer.push(frame) { _ in }
      #expect(place(&frame) == before)
    }
  }

  @Test("Warming up evaluates every network and fuses once, and changes no result")
  func warmUp() throws {
    for start in [RestorationOptions.Start.inversion, .noise] {
      let options = PlainStream.options {
        $0.chunk = 2
        $0.lookahead = 1
        $0.fusion = 4
        $0.history = 3
        $0.guidance = 2
        $0.start = start
      }
      let frames = PlainStream.frames(5)
      let (restorer, networks) = try PlainStream.makeRestorer(options)
      var evaluations = 0
      restorer.onEvaluation = { evaluations += 1 }
      try restorer.warmUp()
      // Up once, where there is an inversion, and down once with each of two prompts.
      let expected = start == .inversion ? 3 : 2
      #expect(networks.groupSizes == Array(repeating: 1, count: expected))
      #expect(evaluations == expected)
      #expect(networks.fusion?.fuseCount == 1)
      #expect(restorer.statistics == RestorationStatistics() && restorer.heldFrameCount == 0)
      #expect(try restorer.restore(frames) == PlainStream.restore(frames, options))
    }
  }

  @Test(
    "An amount is so much of the change, each frame mixed with itself as it came",
    arguments: [0, 0.25, 2])
  func amount(_ amount: Double) throws {
    let frames = PlainStream.frames(9)
    for (chunk, fusion) in [(1, 0), (3, 0), (2, 1), (0, 2)] {
      var options = PlainStream.options {
        $0.chunk = chunk
        $0.lookahead = 2
        $0.fusion = fusion
      }
      let whole = try PlainStream.restore(frames, options)
      options.amount = amount
      let part = try PlainStream.restore(frames, options)
      #expect(part.count == frames.count)
      for (part, (whole, input)) in zip(part, zip(whole, frames)) {
        for (part, (whole, input)) in zip(part, zip(whole, input)) {
          #expect(abs(part - (input + Float(amount) * (whole - input))) < 1e-3)
        }
      }
    }
  }

  @Test("The same prompt is prepared once")
  func promptsArePreparedOnce() throws {
    let (_, networks) = try PlainStream.makeRestorer(
      PlainStream.options {
        $0.guidance = 3
        $0.task = .derain
      })
    #expect(networks.prompts == ["", "remove the rain"])
  }

  @Test("After the end another clip begins, which reads nothing of the first")
  func clipsAreApart() throws {
    let options = PlainStream.options { $0.chunk = 2 }
    let restorer = try PlainStream.makeRestorer(options).restorer
    let joined = try [PlainStream.frames(5), PlainStream.frames(4, seed: 50)].flatMap {
      try restorer.restore($0)
    }
    let apart =
      try PlainStream.restore(PlainStream.frames(5), options)
      + PlainStream.restore(PlainStream.frames(4, seed: 50), options)
    #expect(joined == apart)
  }

  @Test("A scene cut closes the chunk, and nothing is read across it")
  func cutsEndTheWindow() throws {
    for (chunk, lookahead) in [(0, 0), (1, 0), (4, 3), (1, 3)] {
      for attention in [RestorationOptions.Attention.window, .first] {
        let canvas = Canvas(height: 64, width: 96, multiple: PlainNetworks.multiple)
        let scenes = [Scene(seed: 1), Scene(seed: 2), Scene(seed: 3)].map { scene in
          (0..<5).map { scene.frame(canvas, movedBy: Float($0)) }
        }
        var options = PlainStream.options {
          $0.chunk = chunk
          $0.lookahead = lookahead
          $0.attention = attention
        }
        let apart = try scenes.flatMap { try PlainStream.restore($0, options, canvas) }
        options.sceneCut = .auto
        let (restorer, _) = try PlainStream.makeRestorer(options, canvas)
        #expect(try restorer.restore(scenes.joined()) == apart)
        #expect(restorer.statistics.sceneCuts == 2)
      }
    }
  }

  @Test("Memory is known before the first frame and bounded by chunk, lookahead and radius")
  func memoryIsBounded() throws {
    func estimate(_ change: (inout RestorationOptions) -> Void) throws -> MemoryEstimate {
      try PlainStream.makeRestorer(PlainStream.options(change)).restorer.memory
    }
    let small = try estimate {
      $0.chunk = 1
      $0.lookahead = 0
    }
    let large = try estimate {
      $0.chunk = 4
      $0.lookahead = 4
    }
    #expect(large.activations == 8 * small.activations)
    #expect(large.weights == small.weights && large.furtherFrame == 0)
    #expect(large.features == small.features)
    #expect(large.frames > small.frames)
    // Three passes, three slots.
    #expect(small.features == 3 * 3 * PlainNetworks(Tiling(PlainStream.canvas)).latentShape.count)
    #expect(try estimate { $0.radius = 0 }.features == 0)
    #expect(try estimate { $0.guidance = 2 }.features == 2 * small.features)
    let mixed = try estimate {
      $0.chunk = 1
      $0.lookahead = 0
      $0.amount = 0.5
    }
    // The frame as it came.
    #expect(mixed.total == small.total + PlainStream.canvas.frameCount * MemoryLayout<Float>.size)
    #expect(small.total == small.weights + small.features + small.activations + small.frames)
    let clip = try estimate { $0.chunk = 0 }
    #expect(clip.features == 0 && clip.furtherFrame > 0)
  }
}
