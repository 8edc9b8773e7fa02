import Foundation
import Synchronization
import Testing
import Video

@testable import tdm_filter

@Suite("A frame that finds the line before the computing full")
struct IntakeTests {
  private let pool: FramePool
  private let line = BoundedQueue<Arrival>(capacity: 2)
  private let statistics = StreamStatistics()

  init() throws {
    pool = FramePool(
      FrameLayout(
        size: try PictureSize(parsing: "16x16"), pixelFormat: try PixelFormat(named: "gray")))
  }

  private func frame(_ number: Int) -> Frame {
    try! pool.frame(number: number, beginsSequence: number == 0 || number == 3)
  }

  /// What was told, a line each.
  private final class Told: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    func add(_ line: String) { lines.withLock { $0.append(line) } }
  }

  private func intake(_ whenLate: WhenLate) -> (Intake, Told) {
    let told = Told()
    let notices = LateNotices(whenLate) { told.add($0.line) }
    return (Intake(line, whenLate: whenLate, statistics: statistics, notices: notices), told)
  }

  private func received(_ count: Int) throws -> [Arrival] {
    try (0..<count).map { _ in try #require(try line.receive()) }
  }

  @Test("is left out, counted and told of; the next one says that a clip began")
  func skip() throws {
    let (intake, lines) = intake(.skip)
    for number in 0..<5 { intake.take(frame(number)) }
    #expect(statistics.counts.framesRead == 5 && statistics.counts.framesSkipped == 3)
    // Of the first at once; the others came within the same moment.
    #expect(lines.all == ["late: frame 2 left out, 1 so far"])
    #expect(try received(2).map(\.frame.number) == [0, 1])
    for number in 5..<7 { intake.take(frame(number)) }
    let arrivals = try received(2)
    #expect(arrivals.map(\.frame.number) == [5, 6])
    // Frame 3 was the first of a clip.
    #expect(arrivals.map(\.beginsClip) == [true, false])
    #expect(!arrivals.contains { $0.isLate })
    // What is left to tell is told when no more comes, once.
    for _ in 0..<2 { intake.reportRest() }
    #expect(lines.all.dropFirst() == ["late: 2 frames from 3 to 4 left out, 3 so far"])
  }

  @Test("is told of in time, though no other is late")
  func due() throws {
    let told = Told()
    let now = Mutex(ContinuousClock.now)
    let notices = LateNotices(
      .skip, now: { now.withLock { $0 } }, report: { told.add("\($0.count)") })
    for number in 0..<3 { notices.add(frame(number)) }
    now.withLock { $0 += .milliseconds(4999) }
    notices.reportDue()
    #expect(told.all == ["1"])
    now.withLock { $0 += .milliseconds(1) }
    for _ in 0..<2 { notices.reportDue() }
    #expect(told.all == ["1", "2"])
  }

  @Test("keeps its place where it is passed through")
  func passthrough() throws {
    let (intake, lines) = intake(.passthrough)
    for number in 0..<6 { intake.take(frame(number)) }
    #expect(statistics.counts.framesPassedThrough == 4 && statistics.counts.framesHeldLate == 4)
    #expect(lines.all == ["late: frame 2 passed through unrestored, 1 so far"])
    let arrivals = try received(6)
    #expect(arrivals.map(\.frame.number) == Array(0..<6))
    #expect(arrivals.map(\.isLate) == [false, false, true, true, true, true])
    #expect(arrivals.map(\.beginsClip) == [true, false, false, true, false, false])
  }

  @Test("has the source wait where too many are held to be passed through")
  func tooMany() throws {
    let (intake, _) = intake(.passthrough)
    // Frames so large that only the least number may be held.
    let large = FramePool(
      FrameLayout(
        size: try PictureSize(parsing: "16384x4096"), pixelFormat: try PixelFormat(named: "gray")))
    let limit = Intake.heldLimit(frameByteCount: large.layout.byteCount)
    #expect(limit == Intake.leastHeldLimit)
    // However small they are, their places take memory.
    #expect(Intake.heldLimit(frameByteCount: 3) == 256 << 10)
    for number in 0..<2 + limit { intake.take(try! large.frame(number: number)) }
    #expect(statistics.counts.framesHeldLate == limit)
    let done = Monitor(false)
    try PlainThread.start(name: "source") { [line, statistics] in
      Intake(
        line, whenLate: .passthrough, statistics: statistics,
        notices: LateNotices(.passthrough) { _ in }
      )
      .take(try! large.frame(number: 2 + limit))
      done.change { $0 = true }
    }
    while statistics.counts.framesRead <= 2 + limit { usleep(1000) }
    #expect(try received(1)[0].frame.number == 0)
    done.wait { $0 }
    let rest = try received(2 + limit)
    #expect(rest.map(\.frame.number) == Array(1...2 + limit))
    #expect(!rest.last!.isLate)
  }

  @Test("waits until there is room, unless told otherwise")
  func wait() throws {
    let done = Monitor(0)
    try PlainThread.start(name: "source") { [line, statistics, pool] in
      let intake = Intake(
        line, whenLate: .wait, statistics: statistics, notices: LateNotices(.wait) { _ in })
      for number in 0..<50 {
        intake.take(try! pool.frame(number: number))
        done.change { $0 += 1 }
      }
    }
    while statistics.counts.framesRead <= 2 { usleep(1000) }
    #expect(done.change { $0 } <= 2)
    #expect(try received(50).map(\.frame.number) == Array(0..<50))
    let counts = statistics.counts
    #expect(counts.framesSkipped == 0 && counts.framesPassedThrough == 0)
  }
}
