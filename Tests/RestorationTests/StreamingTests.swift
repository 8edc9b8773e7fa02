import Kernels
import TensorCore
import Testing

@testable import Diffusion
@testable import Restoration

@Suite struct StreamingTests {
  static let canvas = Canvas(height: 6, width: 9, multiple: PlainNetworks.multiple)

  static func schedule() throws -> NoiseSchedule {
    try NoiseSchedule(
      betas: Betas.make(.scaledLinear, from: 0.00085, to: 0.012, count: 1000), setAlphaToOne: true,
      prediction: .vPrediction)
  }

  static func frames(_ count: Int, seed: UInt64 = 1) -> [[Float]] {
    (0..<count).map { frame in
      var noise = GaussianNoise(seed: seed + UInt64(frame))
      return (0..<canvas.frameCount).map { _ in 128 + 40 * noise.next() }
    }
  }

  static func options(_ change: (inout RestorationOptions) -> Void) -> RestorationOptions {
    var options = RestorationOptions()
    options.inversionSteps = 2
    options.steps = 3
    options.sceneCut = .off
    change(&options)
    return options
  }

  @Test(
    "Every chunk and lookahead gives what the reference gives, frame by frame",
    arguments: OptionCase.all)
  func streamingEqualsTheReference(_ optionCase: OptionCase) throws {
    for (chunk, lookahead) in [(0, 0), (1, 0), (1, 3), (2, 1), (4, 2), (5, 0), (7, 4)] {
      for count in [0, 1, 2, 3, 6, 7, 11] {
        var options = Self.options(optionCase.change)
        options.chunk = chunk
        options.lookahead = lookahead
        let frames = Self.frames(count)
        let restored = try restore(frames, options)
        let reference = PlainReference(
          options: options, schedule: try Self.schedule(), canvas: Self.canvas)
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
      let options = Self.options {
        $0.chunk = chunk
        $0.lookahead = lookahead
      }
      let restorer = try makeRestorer(options).restorer
      #expect(restorer.latency == chunk + lookahead)
      var left = 0
      for (index, frame) in Self.frames(20).enumerated() {
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
        Self.options {
          $0.chunk = 2
          $0.lookahead = lookahead
          change.change(&$0)
        }
      }
      let (restorer, networks) = try makeRestorer(options(lookahead: 3))
      let without = try makeRestorer(options(lookahead: 0)).restorer
      #expect(restorer.latency == 2 && restorer.memory == without.memory)
      #expect(try restorer.rehearse().groupSize == 2)
      let frames = Self.frames(5)
      #expect(try restorer.restore(frames) == without.restore(frames))
      #expect(networks.groupSizes.max() == 2)
    }
  }

  @Test("Each frame is encoded and inverted once, on arrival")
  func workIsDoneOnce() throws {
    let options = Self.options {
      $0.chunk = 2
      $0.lookahead = 2
    }
    let (restorer, networks) = try makeRestorer(options)
    let frames = Self.frames(3)
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
    let (restorer, networks) = try makeRestorer(
      Self.options {
        $0.chunk = 3
        $0.lookahead = 2
        $0.guidance = 2
      })
    let frames = Self.frames(40)
    for frame in frames.prefix(10) { try restorer.push(frame) { _ in } }
    let count = networks.tensorCount
    for frame in frames.dropFirst(10) { try restorer.push(frame) { _ in } }
    #expect(networks.tensorCount == count)
  }

  @Test("A frame's memory is the caller's again once it is taken")
  func callersMemory() throws {
    let (restorer, _) = try makeRestorer(
      Self.options {
        $0.chunk = 2
        $0.colorFix = .wavelet
        $0.amount = 0.5
      })
    func place(_ frame: inout [Float]) -> Int {
      frame.withUnsafeMutableBufferPointer { Int(bitPattern: $0.baseAddress) }
    }
    var frame = Self.frames(1)[0]
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
      let options = Self.options {
        $0.chunk = 2
        $0.lookahead = 1
        $0.fusion = 4
        $0.history = 3
        $0.guidance = 2
        $0.start = start
      }
      let frames = Self.frames(5)
      let (restorer, networks) = try makeRestorer(options)
      var evaluations = 0
      restorer.onEvaluation = { evaluations += 1 }
      try restorer.warmUp()
      // Up once, where there is an inversion, and down once with each of two prompts.
      let expected = start == .inversion ? 3 : 2
      #expect(networks.groupSizes == Array(repeating: 1, count: expected))
      #expect(evaluations == expected)
      #expect(networks.fusion?.fuseCount == 1)
      #expect(restorer.statistics == RestorationStatistics() && restorer.heldFrameCount == 0)
      #expect(try restorer.restore(frames) == restore(frames, options))
    }
  }

  @Test(
    "An amount is so much of the change, each frame mixed with itself as it came",
    arguments: [0, 0.25, 2])
  func amount(_ amount: Double) throws {
    let frames = Self.frames(9)
    for (chunk, fusion) in [(1, 0), (3, 0), (2, 1), (0, 2)] {
      var options = Self.options {
        $0.chunk = chunk
        $0.lookahead = 2
        $0.fusion = fusion
      }
      let whole = try restore(frames, options)
      options.amount = amount
      let part = try restore(frames, options)
      #expect(part.count == frames.count)
      for (part, (whole, input)) in zip(part, zip(whole, frames)) {
        for (part, (whole, input)) in zip(part, zip(whole, input)) {
          #expect(abs(part - (input + Float(amount) * (whole - input))) < 1e-3)
        }
      }
    }
  }

  @Test("Options that change between two frames give what two restorers would")
  func optionsChange() throws {
    let frames = Self.frames(23)
    func options(_ change: (inout RestorationOptions) -> Void) -> RestorationOptions {
      Self.options {
        $0.chunk = 3
        $0.lookahead = 2
        change(&$0)
      }
    }
    let courses: [RestorationOptions] = [
      options { _ in }, options { $0.task = .derain }, options { $0.guidance = 2 },
      options { $0.amount = 0.5 },
      options {
        $0.steps = 5
        $0.strength = 0.5
        $0.inversionSteps = 1
      },
      options {
        $0.chunk = 1
        $0.lookahead = 0
        $0.radius = 1
      }, options { _ in },
    ]
    let bounds = [0, 4, 5, 11, 15, 15, 17, 23]
    let (restorer, _) = try makeRestorer(courses[0])
    var changed: [[Float]] = []
    for (index, course) in courses.enumerated() {
      try restorer.change(to: course, emit: { changed.append($0) })
      #expect(restorer.options == course && restorer.heldFrameCount == 0)
      for frame in frames[bounds[index]..<bounds[index + 1]] {
        try restorer.push(frame) { changed.append($0) }
      }
    }
    try restorer.finish { changed.append($0) }
    let apart = try courses.enumerated().flatMap { index, course in
      try restore(Array(frames[bounds[index]..<bounds[index + 1]]), course)
    }
    #expect(changed == apart)
    #expect(restorer.memory == (try makeRestorer(courses.last!).restorer.memory))
  }

  @Test("What former options made room for is given up when others take their place")
  func changeReleases() throws {
    let small = Self.options {
      $0.chunk = 1
      $0.lookahead = 0
    }
    let (changed, networks) = try makeRestorer(
      Self.options {
        $0.chunk = 4
        $0.lookahead = 3
        $0.guidance = 2
      })
    let frames = Self.frames(12)
    for frame in frames { try changed.push(frame) { _ in } }
    try changed.change(to: small, emit: { _ in })
    #expect(networks.releaseCount == 1)
    let (fresh, ownNetworks) = try makeRestorer(small)
    for frame in frames {
      try changed.push(frame) { _ in }
      try fresh.push(frame) { _ in }
    }
    #expect(networks.livingTensorCount == ownNetworks.livingTensorCount)
  }

  @Test("Options that the networks were not planned for, or that cannot be, change nothing")
  func unfitChange() throws {
    let base = Self.options { $0.chunk = 2 }
    let frames = Self.frames(7)
    let (restorer, _) = try makeRestorer(base)
    var restored: [[Float]] = []
    for frame in frames {
      for unfit in [
        Self.options { $0.task = .superres }, Self.options { $0.controlScale = 0 },
        Self.options { $0.windowInControlNet = true }, Self.options { $0.steps = 1001 },
        Self.options { $0.strength = 0 },
      ] {
        #expect(throws: OptionError.self) { try restorer.check(unfit) }
        let refusal = #expect(throws: RefusedChange.self) {
          try restorer.change(to: unfit) { _ in Issue.record("nothing is to leave") }
        }
        #expect(refusal?.reason is OptionError)
      }
      try restorer.push(frame) { restored.append($0) }
    }
    try restorer.finish { restored.append($0) }
    #expect(restored == (try restore(frames, base)))
    // Without the ControlNet in sampling there is no window of its to be read, and none is planned.
    let windowed = Self.options {
      $0.windowInControlNet = true
      $0.inversionControlScale = 1
    }
    var alone = windowed
    alone.controlScale = 0
    #expect(throws: OptionError.self) { try makeRestorer(windowed).restorer.check(alone) }
    #expect(throws: OptionError.self) { try makeRestorer(alone).restorer.check(windowed) }
    #expect(throws: Never.self) { try makeRestorer(windowed).restorer.check(windowed) }
  }

  @Test("The same prompt is prepared once")
  func promptsArePreparedOnce() throws {
    let (_, networks) = try makeRestorer(
      Self.options {
        $0.guidance = 3
        $0.task = .derain
      })
    #expect(networks.prompts == ["", "remove the rain"])
  }

  @Test("After the end another clip begins, which reads nothing of the first")
  func clipsAreApart() throws {
    let options = Self.options { $0.chunk = 2 }
    let restorer = try makeRestorer(options).restorer
    let joined = try [Self.frames(5), Self.frames(4, seed: 50)].flatMap {
      try restorer.restore($0)
    }
    let apart =
      try restore(Self.frames(5), options) + restore(Self.frames(4, seed: 50), options)
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
        var options = Self.options {
          $0.chunk = chunk
          $0.lookahead = lookahead
          $0.attention = attention
        }
        let apart = try scenes.flatMap { try restore($0, options, canvas) }
        options.sceneCut = .auto
        let (restorer, _) = try makeRestorer(options, canvas)
        #expect(try restorer.restore(scenes.joined()) == apart)
        #expect(restorer.statistics.sceneCuts == 2)
      }
    }
  }

  @Test("Memory is known before the first frame and bounded by chunk, lookahead and radius")
  func memoryIsBounded() throws {
    func estimate(_ change: (inout RestorationOptions) -> Void) throws -> MemoryEstimate {
      try makeRestorer(Self.options(change)).restorer.memory
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
    #expect(small.features == 3 * 3 * PlainNetworks(Tiling(Self.canvas)).latentShape.count)
    #expect(try estimate { $0.radius = 0 }.features == 0)
    #expect(try estimate { $0.guidance = 2 }.features == 2 * small.features)
    let mixed = try estimate {
      $0.chunk = 1
      $0.lookahead = 0
      $0.amount = 0.5
    }
    // The frame as it came.
    #expect(mixed.total == small.total + Self.canvas.frameCount * MemoryLayout<Float>.size)
    #expect(small.total == small.weights + small.features + small.activations + small.frames)
    let clip = try estimate { $0.chunk = 0 }
    #expect(clip.features == 0 && clip.furtherFrame > 0)
  }

  // MARK: -

  private func makeRestorer(
    _ options: RestorationOptions, _ canvas: Canvas = canvas
  ) throws -> (restorer: TDMPipeline, networks: PlainNetworks) {
    let networks = PlainNetworks(Tiling(canvas))
    let restorer = try TDMPipeline(
      schedule: try Self.schedule(), options: options, canvas: canvas
    ) { _ in networks }
    return (restorer, networks)
  }

  private func restore(
    _ frames: [[Float]], _ options: RestorationOptions, _ canvas: Canvas = canvas
  ) throws -> [[Float]] {
    try makeRestorer(options, canvas).restorer.restore(frames)
  }
}
