import FixtureSupport
import Kernels
import ModelFiles
import Testing

@testable import Restoration

/// Frames that are restored reduced, on the thin fixture's networks.
@Suite("Restoration at a smaller size, and changes of networks")
struct TDMRestorerTests {
  private static let (width, height) = (96, 66)

  private func options(
    workSize: Int = 64, _ change: (inout RestorationOptions) -> Void = { _ in }
  ) -> RestorationOptions {
    PlainStream.options {
      $0.workSize = workSize
      $0.steps = 1
      $0.inversionSteps = 0
      $0.chunk = 2
      $0.lookahead = 1
      $0.radius = 1
      change(&$0)
    }
  }

  private func device() throws -> CPUDevice { try CPUDevice(precision: .f32, threads: 2) }

  private func makeRestorer(
    _ options: RestorationOptions, limits: MemoryLimits = MemoryLimits()
  ) throws -> TDMRestorer {
    try TDMRestorer(
      model: ModelFolder(path: Fixture.thin.modelFolder()), options: options, width: Self.width,
      height: Self.height, device: device(), limits: limits)
  }

  private func frames(_ count: Int, seed: UInt64 = 4) -> [[Float]] {
    let canvas = Canvas(height: Self.height, width: Self.width, multiple: 1)
    return (0..<count).map { Scene(seed: seed).frame(canvas, movedBy: Float($0)) }
  }

  private func restored(
    _ frames: [[Float]], by restorer: some FrameRestorer
  ) throws -> [[Float]] {
    var restored: [[Float]] = []
    for frame in frames { try restorer.push(frame) { restored.append($0) } }
    try restorer.finish { restored.append($0) }
    return restored
  }

  @Test("A UNet of two latents reads that of the frame as it came, without the scaling factor")
  func twoLatents() throws {
    let frames = frames(3)
    for fusion in [0, 2] {
      let course = options(workSize: 0) {
        $0.controlScale = 0
        $0.fusion = fusion
        $0.radius = 0
        $0.fusionNoise = 255
      }
      let restorer = { (folder: String) throws in
        try TDMRestorer(
          model: ModelFolder(path: folder), options: course, width: Self.width,
          height: Self.height, device: device(), limits: MemoryLimits())
      }
      let one = try restored(frames, by: restorer(Fixture.thin.modelFolder()))
      var two: [[Float]] = []
      try Fixture.thin.withCopy { path in
        // As the fixture's autoencoder scales its latents.
        try Fixture.readTwoLatents(in: path, readsSecond: true, times: 0.9)
        let reading = try restorer(path.path)
        #expect(reading.memory.frames > (try restorer(Fixture.thin.modelFolder())).memory.frames)
        two = try restored(frames, by: reading)
      }
      let furthest = zip(one.joined(), two.joined()).map { abs($0 - $1) }.max() ?? 255
      // Where frames are fused it reads others than they are.
      #expect(fusion == 0 ? furthest < 0.05 : furthest > 1, "fusion \(fusion): \(furthest)")
    }
  }

  @Test("The longer side is what is asked for, and nothing is enlarged")
  func sizes() {
    for (workSize, width, height, expected) in [
      (0, 1920, 1080, (1920, 1080)), (400, 1920, 1080, (400, 225)), (400, 1080, 1920, (225, 400)),
      (400, 400, 300, (400, 300)), (400, 176, 144, (176, 144)), (64, 16384, 1, (64, 1)),
      (100, 101, 100, (100, 99)),
    ] {
      let size = options(workSize: workSize).workingSize(width: width, height: height)
      #expect(size == expected)
    }
  }

  @Test("Frames change as a restorer for reduced ones changes those, in their order")
  func reduced() throws {
    let frames = frames(7)
    let options = options()
    let device = try device()
    let transfer = device.makeGuidedTransfer(
      size: (Self.height, Self.width), reduced: (height: 44, width: 64))
    let small = frames.map { frame in
      var reduced = [Float](repeating: 0, count: transfer.reducedCount)
      transfer.reduce(frame, into: &reduced)
      return reduced
    }
    let inner = try TDMPipeline(
      model: ModelFolder(path: Fixture.thin.modelFolder()), options: options, width: 64,
      height: 44, device: device)
    let expected = try zip(zip(frames, small), inner.restore(small)).map { pair, target in
      var frame = pair.0
      transfer.carryOver(from: pair.1, to: target, into: &frame)
      return frame
    }
    let restorer = try makeRestorer(options)
    #expect(try restored(frames, by: restorer) == expected)
    // Again, with what the first clip has left.
    #expect(try restored(frames, by: restorer) == expected)
    #expect(restorer.statistics.framesOut == 14 && restorer.statistics.carry.count == 14)
  }

  @Test("Works with fusion, a part of the change, coarse colours and cuts as without")
  func withOthers() throws {
    let scenes = [UInt64(1), 2].map { seed in
      (0..<6).map {
        Scene(seed: seed).frame(Canvas(height: 66, width: 96, multiple: 1), movedBy: Float($0))
      }
    }
    let options = options {
      $0.fusion = 2
      $0.sceneCut = .auto
      $0.colorFix = .wavelet
    }
    let restorer = try makeRestorer(options)
    let both = try restored(scenes.flatMap { $0 }, by: restorer)
    #expect(restorer.statistics.sceneCuts == 1)
    #expect(try both == scenes.flatMap { try restored($0, by: makeRestorer(options)) })
    // Half of the change here is half of the change there.
    let frames = frames(4)
    let whole = try restored(frames, by: makeRestorer(self.options()))
    let half = try restored(frames, by: makeRestorer(self.options { $0.amount = 0.5 }))
    for (frame, (whole, half)) in zip(frames, zip(whole, half)) {
      for index in frame.indices {
        #expect(abs((frame[index] + whole[index]) / 2 - half[index]) < 0.05)
      }
    }
  }

  @Test("Small frames are carried over, too, and without a work size none")
  func small() throws {
    let frames = frames(3)
    let plain = try TDMPipeline(
      model: ModelFolder(path: Fixture.thin.modelFolder()), options: options(workSize: 0),
      width: Self.width, height: Self.height, device: device()
    ).restore(frames)
    #expect(try restored(frames, by: makeRestorer(options(workSize: 0))) == plain)
    #expect(try restored(frames, by: makeRestorer(options(workSize: 200))) != plain)
  }

  @Test("A change to another size gives what two restorers give, and goes on counting")
  func change() throws {
    let clips = [frames(5), frames(4, seed: 9)]
    // Noise by the frame's number tells whether the count goes on.
    let courses = [0, 64, 96, 64, 0, 96, 0].map { workSize in
      options(workSize: workSize) {
        $0.task = workSize == 0 ? .denoise : .dehaze
        $0.start = .noise
      }
    }
    for (from, to) in zip(courses, courses.dropFirst()) {
      let restorer = try makeRestorer(from)
      var evaluations = 0
      restorer.onEvaluation = { evaluations += 1 }
      var changed: [[Float]] = []
      for frame in clips[0] { try restorer.push(frame) { changed.append($0) } }
      try restorer.change(to: to, limits: nil) { changed.append($0) }
      #expect(changed.count == 5 && restorer.options == to)
      let before = evaluations
      changed += try restored(clips[1], by: restorer)
      #expect(evaluations > before)
      #expect(restorer.statistics.framesIn == 9 && restorer.statistics.framesOut == 9)
      var later = to
      later.seed = 5
      let expected =
        try restored(clips[0], by: makeRestorer(from)) + restored(clips[1], by: makeRestorer(later))
      #expect(changed == expected)
    }
  }

  @Test("A change to a model within the model gives what two restorers give, and back")
  func innerModel() throws {
    try Fixture.thin.withCopy { folder in
      try Fixture.haar.writeModel(to: folder.appending(path: "other"))
      let model = try ModelFolder(path: folder.path)
      let own = options(workSize: 0) { $0.controlScale = 0 }
      var other = own
      other.innerModel = "other"
      let courses = [own, other, own]
      let restorer = try TDMRestorer(
        model: model, options: own, width: Self.width, height: Self.height, device: device(),
        limits: MemoryLimits())
      let frames = frames(4)
      var results: [[[Float]]] = []
      for course in courses {
        try restorer.check(course, limits: nil)
        // What was planned when it was asked for is what comes into effect.
        let ready = restorer.planned?.plan?.networks
        #expect((ready == nil) == (course == restorer.options))
        try restorer.change(to: course, limits: nil) { _ in }
        if let ready { #expect(restorer.pipeline.networks === ready) }
        results.append(try restored(frames, by: restorer))
      }
      let alone = try TDMPipeline(
        model: model.inner("other"), options: own, width: Self.width, height: Self.height,
        device: device())
      #expect(try results[1] == alone.restore(frames))
      #expect(try results[0] == restored(frames, by: makeRestorer(own)))
      #expect(results[2] == results[0] && results[1] != results[0])
      // Weights of the other are not kept, and those that took their place count from then on.
      #expect(try restorer.memory == makeRestorer(own).memory)
      var half = own
      half.amount = 0.5
      try restorer.change(to: half, limits: nil) { _ in }
      #expect(try restorer.memory == makeRestorer(half).memory)
      // As much memory as either takes is enough to change from one to the other.
      let alike = try [own, other].map { course in
        try TDMRestorer(
          model: model, options: course, width: Self.width, height: Self.height, device: device(),
          limits: MemoryLimits()
        ).memory.total
      }
      let (small, large) = alike[0] < alike[1] ? (own, other) : (other, own)
      let limited = try TDMRestorer(
        model: model, options: large, width: Self.width, height: Self.height, device: device(),
        limits: MemoryLimits(total: alike.max()!))
      for course in [small, large] {
        try limited.check(course, limits: nil)
        // No room is left beside the larger.
        if course == small { #expect(limited.planned != nil && limited.planned?.plan == nil) }
        try limited.change(to: course, limits: nil) { _ in }
        #expect(limited.memory.tileCount == 1)
      }
      // What is kept for a change gives way to another that needs its room.
      let weights = try TDMRestorer(
        model: model, options: small, width: Self.width, height: Self.height, device: device(),
        limits: MemoryLimits()
      ).memory.weights
      let full = try TDMRestorer(
        model: model, options: large, width: Self.width, height: Self.height, device: device(),
        limits: MemoryLimits(total: alike.max()! + weights))
      try full.check(small, limits: nil)
      #expect(full.planned?.plan != nil)
      var mixed = large
      mixed.amount = 0.5
      try full.check(mixed, limits: nil)
      #expect(full.planned != nil && full.planned?.plan == nil)
      var missing = own
      missing.innerModel = "none"
      #expect(throws: ModelError.self) { try restorer.check(missing, limits: nil) }
    }
  }

  @Test("What the networks as planned cannot follow has them planned anew")
  func plannedAnew() throws {
    let clips = [frames(3), frames(3, seed: 9)]
    // Checked before another change came into effect, this may have suited then.
    let without = options { $0.controlScale = 0 }
    let restorer = try makeRestorer(options())
    #expect(throws: OptionError.self) { try restorer.check(without, limits: nil) }
    var changed: [[Float]] = []
    for frame in clips[0] { try restorer.push(frame) { changed.append($0) } }
    try restorer.change(to: without, limits: nil) { changed.append($0) }
    changed += try restored(clips[1], by: restorer)
    #expect(restorer.options == without)
    #expect(
      try changed
        == restored(clips[0], by: makeRestorer(options()))
        + restored(clips[1], by: makeRestorer(without)))
  }

  @Test("A change that does not fit leaves everything as it was")
  func refused() throws {
    let frames = frames(4)
    let small = try makeRestorer(options())
    let large = try makeRestorer(options(workSize: 0))
    #expect(large.memory.total > small.memory.total)
    let limits = MemoryLimits(total: small.memory.total)
    let restorer = try makeRestorer(options(), limits: limits)
    var result: [[Float]] = []
    for frame in frames[..<2] { try restorer.push(frame) { result.append($0) } }
    #expect(throws: InsufficientMemory.self) {
      try restorer.check(options(workSize: 0), limits: nil)
    }
    let tight = #expect(throws: RefusedChange.self) {
      try restorer.change(to: options(workSize: 0), limits: nil) { result.append($0) }
    }
    #expect(tight?.reason is InsufficientMemory && result.count == 2)
    #expect(restorer.options == options() && restorer.statistics.framesOut == 2)
    for frame in frames[2...] { try restorer.push(frame) { result.append($0) } }
    try restorer.finish { result.append($0) }
    #expect(
      try result
        == restored(Array(frames[..<2]), by: small) + restored(Array(frames[2...]), by: small))
    // Weights that were planned in vain are not counted.
    try restorer.check(options(), limits: nil)
    for change in [options(workSize: 0) { $0.task = .superres }, options(workSize: 8)] {
      #expect(throws: OptionError.self) { try restorer.check(change, limits: nil) }
      let unfit = #expect(throws: RefusedChange.self) {
        try restorer.change(to: change, limits: nil) { _ in Issue.record("a frame") }
      }
      #expect(unfit?.reason is OptionError)
    }
  }

  @Test("What is held is counted")
  func memory() throws {
    let restorer = try makeRestorer(options())
    let inner = try TDMPipeline(
      model: ModelFolder(path: Fixture.thin.modelFolder()), options: options(), width: 64,
      height: 44, device: device())
    // Three frames, each as it came and reduced.
    let held = 3 * (Self.width * Self.height + 64 * 44) * 3 * 4
    let own = restorer.memory.frames - inner.memory.frames
    #expect(own > held && own < held + 200_000)
    let refusal = try #require(throws: InsufficientMemory.self) {
      try makeRestorer(options(), limits: MemoryLimits(total: restorer.memory.total - 1))
    }
    #expect(refusal.description.contains(" 64x44: "), "\(refusal)")
    // No size is smaller than that.
    #expect(!refusal.description.contains("--work-size"), "\(refusal)")
    let larger = try #require(throws: InsufficientMemory.self) {
      try makeRestorer(options(workSize: 72), limits: MemoryLimits(total: 1))
    }
    #expect(larger.description.contains("less of --work-size, --chunk"), "\(larger)")
    let whole = try makeRestorer(options { $0.chunk = 0 })
    #expect(whole.memory.furtherFrame > (Self.width * Self.height + 64 * 44) * 3 * 4)
    let (rehearsal, plain) = try (
      restorer.rehearse(), makeRestorer(options(workSize: 0)).rehearse()
    )
    #expect(rehearsal.carry > .zero && plain.carry == .zero)
    #expect(rehearsal.perFrame > rehearsal.carry)
    // Another number of frames at the same size.
    let few = options { $0.chunk = 1 }
    try restorer.change(to: few, limits: nil) { _ in }
    #expect(try restorer.memory == makeRestorer(few).memory)
  }
}
