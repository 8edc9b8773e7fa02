import FixtureSupport
import Kernels
import ModelFiles
import Restoration
import Testing
import Video

@testable import tdm_filter

@Suite("A late frame on its way past the restorer")
struct StreamRestorationTests {
  private static let format = StreamFormat(
    container: .raw, size: try! PictureSize(parsing: "\(Tiny.width)x\(Tiny.height)"),
    pixelFormat: try! PixelFormat(named: "rgb24"))

  private func stream(
    _ task: RestorationTask, chunk: Int, lookahead: Int, _ statistics: StreamStatistics,
    of format: StreamFormat = format, amount: Double = 1
  ) throws -> StreamRestoration {
    var options = RestorationOptions()
    options.task = task
    options.chunk = chunk
    options.lookahead = lookahead
    options.inversionSteps = 1
    options.steps = 1
    options.sceneCut = .off
    options.amount = amount
    return try StreamRestoration(
      format, model: ModelFolder(path: Fixture.thin.modelFolder()), options: options,
      device: CPUDevice(precision: .f32, threads: 1), statistics: statistics)
  }

  private func arrivals(late: Set<Int>, clipStarts: Set<Int> = [0], count: Int) throws -> [Arrival]
  {
    let clip = try Fixture.clip()
    let pool = FramePool(Self.format.layout)
    return try (0..<count).map { number in
      let frame = try pool.frame(number: number)
      frame.withMutableBytes { $0.copyBytes(from: clip.frame(number % clip.frameCount)) }
      return Arrival(
        frame: frame, instant: .now, beginsClip: clipStarts.contains(number),
        isLate: late.contains(number))
    }
  }

  private func bytes(_ frame: Frame) -> [UInt8] { frame.withBytes { Array($0) } }

  @Test(
    "comes out as it is, in its place; the others are restored as if it had not been there",
    arguments: [[1, 0], [1, 3], [4, 2], [3, 0]])
  func order(streaming: [Int]) throws {
    let late: Set = [0, 3, 4, 9, 10, 11]
    let statistics = StreamStatistics()
    statistics.update { $0.framesHeldLate = late.count }
    let arrivals = try arrivals(late: late, clipStarts: [0, 9], count: 12)
    var departures: [Departure] = []
    let mixed = try stream(.denoise, chunk: streaming[0], lookahead: streaming[1], statistics)
    for arrival in arrivals { try mixed.take(arrival) { departures.append($0) } }
    try mixed.finish { departures.append($0) }
    #expect(departures.map(\.frame.number) == Array(0..<12))
    #expect(zip(departures, arrivals).allSatisfy { $0.arrival == $1.instant })
    #expect(statistics.counts.framesHeldLate == 0)
    #expect(statistics.counts.restoration.framesOut == 6)

    let alone = try stream(
      .denoise, chunk: streaming[0], lookahead: streaming[1], StreamStatistics())
    var restored: [Int: [UInt8]] = [:]
    for arrival in arrivals where !arrival.isLate {
      try alone.take(arrival) { restored[$0.frame.number] = bytes($0.frame) }
    }
    try alone.finish { restored[$0.frame.number] = bytes($0.frame) }
    for (arrival, departure) in zip(arrivals, departures) {
      let number = arrival.frame.number
      let expected = arrival.isLate ? bytes(arrival.frame) : try #require(restored[number])
      #expect(bytes(departure.frame) == expected, "frame \(number)")
    }
  }

  @Test("leaves as soon as no frame before it is in work")
  func promptness() throws {
    let stream = try stream(.denoise, chunk: 1, lookahead: 1, StreamStatistics())
    let arrivals = try arrivals(late: [0, 2, 4], count: 5)
    var left: [[Int]] = []
    for arrival in arrivals {
      var numbers: [Int] = []
      try stream.take(arrival) { numbers.append($0.frame.number) }
      left.append(numbers)
    }
    // Frame 1 waits for frame 3, its lookahead; frame 2 waits behind it.
    #expect(left == [[0], [], [], [1, 2], []])
  }

  @Test("is enlarged bicubically where the task enlarges")
  func enlarged() throws {
    let stream = try stream(.superres, chunk: 1, lookahead: 0, StreamStatistics())
    let arrival = try arrivals(late: [0], count: 1)[0]
    var departures: [Departure] = []
    try stream.take(arrival) { departures.append($0) }
    var expected: [Float] = []
    BicubicEnlargement(width: Tiny.width, height: Tiny.height, factor: 4)(
      bytes(arrival.frame).map { Float($0) }, into: &expected)
    #expect(
      departures.map { bytes($0.frame) } == [expected.map { UInt8(($0 + 0.5).rounded(.down)) }])
  }

  @Test("keeps colours beyond RGB's range where it is enlarged, as restored ones do")
  func vividEnlarged() throws {
    let format = StreamFormat(
      container: .raw, size: Self.format.size, pixelFormat: try PixelFormat(named: "yuv444p"))
    // BT.709's red, read as BT.601.
    let codes: [UInt8] = [63, 102, 240]
    let statistics = StreamStatistics()
    statistics.update { $0.framesHeldLate = 1 }
    let enlarging = try stream(
      .superres, chunk: 1, lookahead: 0, statistics, of: format, amount: 0)
    let pool = FramePool(format.layout)
    var departures: [Departure] = []
    for number in 0..<2 {
      let frame = try pool.frame(number: number)
      frame.withMutableBytes { bytes in
        for place in bytes.indices { bytes[place] = codes[place / format.size.pixelCount] }
      }
      let arrival = Arrival(
        frame: frame, instant: .now, beginsClip: number == 0, isLate: number == 1)
      try enlarging.take(arrival) { departures.append($0) }
    }
    try enlarging.finish { departures.append($0) }
    #expect(departures.count == 2)
    for departure in departures {
      let bytes = bytes(departure.frame)
      let plane = bytes.count / 3
      #expect(bytes.indices.allSatisfy { abs(Int(bytes[$0]) - Int(codes[$0 / plane])) <= 1 })
    }
  }
}
