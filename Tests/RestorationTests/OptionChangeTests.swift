import Testing

@testable import Restoration

@Suite struct OptionChangeTests {
  @Test("Options that change between two frames give what two restorers would")
  func optionsChange() throws {
    let frames = PlainStream.frames(23)
    func options(_ change: (inout RestorationOptions) -> Void) -> RestorationOptions {
      PlainStream.options {
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
    let (restorer, _) = try PlainStream.makeRestorer(courses[0])
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
      try PlainStream.restore(Array(frames[bounds[index]..<bounds[index + 1]]), course)
    }
    #expect(changed == apart)
    #expect(restorer.memory == (try PlainStream.makeRestorer(courses.last!).restorer.memory))
  }

  @Test("What former options made room for is given up when others take their place")
  func changeReleases() throws {
    let small = PlainStream.options {
      $0.chunk = 1
      $0.lookahead = 0
    }
    let (changed, networks) = try PlainStream.makeRestorer(
      PlainStream.options {
        $0.chunk = 4
        $0.lookahead = 3
        $0.guidance = 2
      })
    let frames = PlainStream.frames(12)
    for frame in frames { try changed.push(frame) { _ in } }
    try changed.change(to: small, emit: { _ in })
    #expect(networks.releaseCount == 1)
    let (fresh, ownNetworks) = try PlainStream.makeRestorer(small)
    for frame in frames {
      try changed.push(frame) { _ in }
      try fresh.push(frame) { _ in }
    }
    #expect(networks.livingTensorCount == ownNetworks.livingTensorCount)
  }

  @Test("Options that the networks were not planned for, or that cannot be, change nothing")
  func unfitChange() throws {
    let base = PlainStream.options { $0.chunk = 2 }
    let frames = PlainStream.frames(7)
    let (restorer, _) = try PlainStream.makeRestorer(base)
    var restored: [[Float]] = []
    for frame in frames {
      for unfit in [
        PlainStream.options { $0.task = .superres }, PlainStream.options { $0.controlScale = 0 },
        PlainStream.options { $0.windowInControlNet = true },
        PlainStream.options { $0.steps = 1001 },
        PlainStream.options { $0.strength = 0 },
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
    #expect(restored == (try PlainStream.restore(frames, base)))
    let otherMethod = PlainStream.options {
      $0.method = .zeroShot
      $0.task = .derain
      $0.zeroShot.skip = 0
    }
    let error = #expect(throws: OptionError.self) { try restorer.check(otherMethod) }
    #expect(error?.description.hasPrefix("--method zero-shot: expected tdm") == true)
    // Without the ControlNet in sampling there is no window of its to be read, and none is planned.
    let windowed = PlainStream.options {
      $0.windowInControlNet = true
      $0.inversionControlScale = 1
    }
    var alone = windowed
    alone.controlScale = 0
    #expect(throws: OptionError.self) {
      try PlainStream.makeRestorer(windowed).restorer.check(alone)
    }
    #expect(throws: OptionError.self) {
      try PlainStream.makeRestorer(alone).restorer.check(windowed)
    }
    #expect(throws: Never.self) { try PlainStream.makeRestorer(windowed).restorer.check(windowed) }
  }
}
