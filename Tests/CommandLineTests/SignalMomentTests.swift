import Diffusion
import FixtureSupport
import Foundation
import Testing

@testable import tdm_filter

/// Signals at random moments, to the program and to the one that reads from it.
///
/// `TDM_MOMENTS=200 make test FILTER=SignalMomentTests` tries as many of each kind.
@Suite("At a random moment")
struct SignalMomentTests {
  private static let moments =
    Int(ProcessInfo.processInfo.environment["TDM_MOMENTS"] ?? "") ?? 8

  private static let frameCount = 12
  private static let stream = Y4M().stream(frames: frameCount)
  private static let headerCount = stream.firstIndex(of: 0x0a)! + 1
  private static let frameCost = (stream.count - headerCount) / frameCount

  /// Ways to cut the stream into chunks: without lookahead what is restored does not depend on what
  /// follows.
  private enum Streaming: CaseIterable {
    case causal, ahead
    var options: [String] {
      get throws {
        try Tiny.model() + Tiny.steps
          + (self == .causal
            ? ["--chunk", "1", "--lookahead", "0"] : ["--chunk", "2", "--lookahead", "1"])
      }
    }
  }

  /// What comes out of the first so many frames by themselves.
  private static let wholes = Streaming.allCases.map { streaming in
    Result {
      try (0...frameCount).map { frames in
        let input = stream[..<(headerCount + frames * frameCost)]
        let result = try FilterProcess.run(streaming.options, input: Array(input))
        guard result.status == 0, Y4M.frameCount(of: result.output) == frames else {
          throw FilterProcess.Unstarted(description: result.errors)
        }
        return result.output
      }
    }
  }

  /// A run that is fed at an uneven pace, and the moment at which something happens to it.
  private final class Run: @unchecked Sendable {
    // Sendable: its threads meet in monitors.
    let filter: FilterProcess
    let fed = Monitor(0)
    /// Those of the bytes that the pipe has taken.
    let accepted = Monitor(0)
    private let isFed = Monitor(false)

    init(_ filter: FilterProcess) { self.filter = filter }

    /// Feeds the stream in random pieces from a thread of its own.
    func start(seed: UInt64, closing: Bool) throws {
      try PlainThread.start(name: "feeder") { [self] in
        var random = SplitMix64(state: seed)
        // Most runs are to be met at work, not while they start.
        var rest = SignalMomentTests.stream.dropFirst(SignalMomentTests.headerCount)
        let header = filter.feed(SignalMomentTests.stream.prefix(SignalMomentTests.headerCount))
        accepted.change { $0 = header }
        if !Bool.random(using: &random) || !Bool.random(using: &random) {
          filter.waitForError(containing: "plan: ")
        }
        fed.change { $0 = SignalMomentTests.headerCount }
        while !rest.isEmpty {
          let piece = rest.prefix(Int.random(in: 1...3000, using: &random))
          let count = filter.feed(piece)
          accepted.change { $0 += count }
          fed.change { $0 += piece.count }
          rest = rest.dropFirst(piece.count)
          usleep(UInt32.random(in: 0...6000, using: &random))
        }
        if closing { filter.closeInput() }
        isFed.change { $0 = true }
      }
    }

    /// Waits until so many bytes were fed, and a little longer.
    func wait(for count: Int, _ random: inout SplitMix64) {
      fed.wait(until: { $0 >= count })
      usleep(UInt32.random(in: 0...8000, using: &random))
    }

    func waitUntilFed() { isFed.wait(until: { $0 }) }
  }

  @Test(
    "SIGINT and SIGTERM give all frames that were read, whole and right",
    arguments: [SIGINT, SIGTERM], 0..<moments)
  func stop(signal: Int32, moment: Int) throws {
    var random = SplitMix64(state: UInt64(moment) << 8 | UInt64(signal))
    let (index, streaming) = Array(Streaming.allCases.enumerated())[moment % 2]
    let run = Run(try FilterProcess(streaming.options))
    // The program has its signals in hand once it has begun to read.
    try run.start(seed: random.next(), closing: false)
    run.wait(for: Int.random(in: 0...Self.stream.count, using: &random), &random)
    // In this order: what is fed in between would pass for read.
    let accepted = run.accepted.change { $0 }
    let isReading = accepted > run.filter.unreadInput
    run.filter.send(signal: signal)
    let result = run.filter.wait()
    run.waitUntilFed()
    let taken = run.accepted.change { $0 } - run.filter.unreadInput
    run.filter.closeInput()
    if result.status == -signal {
      // So early that the program was not yet at its first line.
      #expect(!isReading && result.output.isEmpty && result.errors.isEmpty)
      return
    }
    #expect(result.status == 0, "\(result.errors)")
    let frames = max(0, taken - Self.headerCount) / Self.frameCost
    let expected = taken < Self.headerCount ? [] : try Self.wholes[index].get()[frames]
    #expect(result.output == expected, "\(frames) frames were read: \(result.errors)")
    if streaming == .causal {
      #expect(try Self.wholes[index].get()[Self.frameCount].starts(with: result.output))
    }
  }

  @Test("SIGSTOP and SIGCONT change nothing", arguments: 0..<moments)
  func pause(moment: Int) throws {
    var random = SplitMix64(state: UInt64(moment) << 8 | 1)
    let (index, streaming) = Array(Streaming.allCases.enumerated())[moment % 2]
    let run = Run(try FilterProcess(streaming.options))
    try run.start(seed: random.next(), closing: true)
    for _ in 0..<2 {
      run.wait(for: Int.random(in: 0...Self.stream.count, using: &random), &random)
      run.filter.send(signal: SIGSTOP)
      usleep(UInt32.random(in: 0...30_000, using: &random))
      run.filter.send(signal: SIGCONT)
    }
    let result = run.filter.wait()
    #expect(result.status == 0, "\(result.errors)")
    #expect(try result.output == Self.wholes[index].get()[Self.frameCount])
  }

  @Test(
    "the end of the reader is told by status 75, and what it has read is right",
    arguments: [SIGPIPE, SIGKILL], 0..<moments)
  func reader(signal: Int32, moment: Int) throws {
    var random = SplitMix64(state: UInt64(moment) << 8 | UInt64(signal))
    let (index, streaming) = Array(Streaming.allCases.enumerated())[moment % 2]
    let run = Run(try FilterProcess(streaming.options, readsOutput: false))
    let reader = try FilterProcess(
      [], executable: "/bin/cat", inputDescriptor: run.filter.outputDescriptor)
    run.filter.closeOutput()
    reader.closeInput()
    try run.start(seed: random.next(), closing: true)
    run.wait(for: Int.random(in: 0...Self.stream.count, using: &random), &random)
    reader.send(signal: signal)
    let read = reader.wait()
    let result = run.filter.wait(hasOutput: false)
    let whole = try Self.wholes[index].get()[Self.frameCount]
    #expect(whole.starts(with: read.output))
    if result.status == 0 {
      // It had written everything before the reader's end.
      #expect(read.output == whole || read.status == -signal)
    } else {
      expectFailure(result, .readerGone, saying: ["closed"])
    }
  }
}
