import ControlProtocol
import FixtureSupport
import Testing
import Video

@testable import tdm_filter

@Suite("Progress on stderr")
struct ProgressTests {
  private func progress(_ frames: Int, in seconds: Double, left: Double? = nil) -> Progress {
    Progress(
      framesIn: frames + 3, framesOut: frames, framesSkipped: 2, framesPassedThrough: 1,
      sceneCuts: 0, seconds: seconds, secondsLeft: left)
  }

  @Test("is one line with what remains where the length is known")
  func line() {
    let flow = StreamFlow(start: .now, rate: Ratio(25, 1), frameCount: 240)
    #expect(
      ProgressText.line(progress(24, in: 8, left: 72), flow)
        == "24 of 240 frames in 8.0 s, 3.00 fps (0.12x), 2 left out late, "
        + "1 passed through late, 72 s to go")
    #expect(
      ProgressText.line(progress(24, in: 8), nil)
        == "24 frames in 8.0 s, 3.00 fps, 2 left out late, 1 passed through late")
  }

  @Test("says nothing of what remains when nothing more comes")
  func stopped() {
    let flow = StreamFlow(start: .now, rate: Ratio(25, 1), frameCount: 240)
    #expect(
      ProgressText.line(progress(24, in: 8, left: 72), flow, isLast: true)
        == "24 of 240 frames in 8.0 s, 3.00 fps (0.12x), 2 left out late, 1 passed through late")
  }

  @Test("says in the end how many there were, and not how many were expected")
  func expected() {
    let flow = StreamFlow(start: .now, rate: nil, frameCount: 240, isEstimate: true)
    #expect(
      ProgressText.line(progress(24, in: 8, left: 72), flow).hasPrefix("24 of 240 frames"))
    #expect(
      ProgressText.line(progress(241, in: 8, left: 0), flow, isLast: true)
        .hasPrefix("241 frames in 8.0 s"))
  }

  @Test("tells what remains of a file, and of what is expected until more has come")
  func remaining() {
    let file = StreamFlow(start: .now, rate: nil, frameCount: 26)
    // 27 have come, of which 24 are out in eight seconds and two are left out.
    #expect(file.secondsLeft(after: progress(24, in: 8)) == 0)
    #expect(file.secondsLeft(after: progress(12, in: 8)) == 8)
    #expect(file.secondsLeft(after: progress(0, in: 8)) == nil)
    var expected = StreamFlow(start: .now, rate: nil, frameCount: 26, isEstimate: true)
    #expect(expected.secondsLeft(after: progress(24, in: 8)) == nil)
    #expect(expected.secondsLeft(after: progress(12, in: 8)) == 8)
    expected = StreamFlow(start: .now, rate: nil, frameCount: nil)
    #expect(expected.secondsLeft(after: progress(12, in: 8)) == nil)
  }

  @Test("is ffmpeg's blocks, as ffmpeg writes them")
  func block() {
    let flow = StreamFlow(start: .now, rate: Ratio(30000, 1001), frameCount: nil)
    #expect(
      ProgressText.block(progress(110_000, in: 1000), flow, isLast: false)
        == """
        frame=110000
        fps=110.00
        out_time_us=3670333333
        out_time=01:01:10.333333
        dup_frames=0
        drop_frames=2
        speed=3.670x
        progress=continue

        """)
    let slowest = StreamFlow(start: .now, rate: Ratio(1, Int(Int32.max)), frameCount: nil)
    #expect(
      ProgressText.block(progress(110_000, in: 1000), slowest, isLast: false)
        .contains("out_time_us=1000000000000000000\n"))
    #expect(ProgressText.block(progress(1, in: 1), nil, isLast: true).hasSuffix("progress=end\n"))
    #expect(
      ProgressText.block(progress(1, in: 1), nil, isLast: true).contains(
        "out_time_us=N/A\nout_time=N/A\n"))
  }

  @Test("is a line now and then where lines stay, the more seldom the longer it goes on")
  func rareLines() {
    var lines = RareLines()
    let due = (0...5 * 3600).filter { lines.isDue(at: .seconds($0)) }
    #expect(due == [60, 120, 240, 480, 960, 1920, 3840, 7440, 11040, 14640])
  }

  @Test("ends with a block that has all frames")
  func lastBlock() throws {
    let result = try FilterProcess.run(
      Tiny.model() + Tiny.steps + ["--progress", "--log-level", "warning"],
      input: Y4M().stream(frames: 5))
    #expect(result.status == 0)
    let keys = result.errorLines.map { $0.split(separator: "=")[0] }
    #expect(keys.last == "progress" && result.errorLines.last == "progress=end")
    #expect(result.errorLines.last { $0.hasPrefix("frame=") } == "frame=5")
    #expect(result.errorLines.last { $0.hasPrefix("out_time_us=") } == "out_time_us=200000")
  }

  @Test("tells as much as is asked for")
  func levels() throws {
    func errors(_ options: [String]) throws -> String {
      try FilterProcess.run(
        Tiny.model() + Tiny.steps + options, input: Y4M().stream(frames: 1)
      ).errors
    }
    #expect(try errors([]).contains("tdm-filter: done: 1 frame in "))
    #expect(try errors(["--log-level", "warning"]).isEmpty)
    #expect(try errors(["--log-level", "debug"]).contains("debug: planned, model "))
    expectFailure(
      try FilterProcess.run(["--log-level", "loud"]), .usage, saying: ["--log-level", "loud"])
    expectFailure(
      try FilterProcess.run(["--quiet", "--log-level", "info"]), .usage,
      saying: ["--quiet", "info"]
    )
    expectFailure(
      try FilterProcess.run(["--quiet", "--progress"]), .usage, saying: ["--quiet", "--progress"])
  }
}
