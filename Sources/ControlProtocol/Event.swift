import Restoration
import StrictJSON

/// The version of the messages; see Protocol/control.md. It grows where a message changes its meaning or goes away, not
/// where members are added.
package let protocolVersion = 1

/// What the program tells of itself while it runs.
package enum Event: Sendable {
  /// The stream's format is known and everything planned.
  case hello(Hello)
  /// The networks have run once; frames flow from now on.
  case ready
  /// How far the stream has come, twice a second while frames move.
  case progress(Progress)
  /// A window ended before this frame.
  case sceneCut(frame: Int)
  /// Frames came while the computing was behind.
  case late(Late)
  /// Frames are restored by other options from now on.
  case changed(AcceptedChange)
  /// Something is amiss that does not end the stream. One line.
  case warning(String)
  /// So many events before this one had no room and are lost.
  case lost(count: Int)
  /// The last one.
  case end(End)

  package enum Name: String, CaseIterable, Sendable {
    case hello, ready, progress
    case sceneCut = "scene_cut"
    case late, changed, warning, lost, end
  }

  package var name: Name {
    switch self {
    case .hello: .hello
    case .ready: .ready
    case .progress: .progress
    case .sceneCut: .sceneCut
    case .late: .late
    case .changed: .changed
    case .warning: .warning
    case .lost: .lost
    case .end: .end
    }
  }

  /// The event as JSON on a line of its own.
  /// - Parameter seconds: since the program's start.
  package func line(at seconds: Double) -> [UInt8] {
    var line = JSONLine()
    line.add("event", .string(name.rawValue))
    line.add("time", .rounded(seconds))
    switch self {
    case .hello(let hello): hello.write(to: &line)
    case .ready: break
    case .progress(let progress): progress.write(to: &line)
    case .sceneCut(let frame): line.add("frame", .integer(frame))
    case .late(let late): late.write(to: &line)
    case .changed(let change): change.write(to: &line)
    case .warning(let message): line.add("message", .string(message))
    case .lost(let count): line.add("count", .integer(count))
    case .end(let end): end.write(to: &line)
    }
    return line.finished
  }
}

/// What is known before the first frame.
package struct Hello: Sendable {
  /// One side of the filter.
  package struct Stream: Sendable {
    package var container, pixelFormat: String
    package var width, height: Int
    /// Frames a second, `N/D`; nil where unknown.
    package var frameRate: String?

    package init(
      container: String, width: Int, height: Int, pixelFormat: String, frameRate: String?
    ) {
      self.container = container
      self.width = width
      self.height = height
      self.pixelFormat = pixelFormat
      self.frameRate = frameRate
    }

    fileprivate var json: JSON {
      .object([
        "container": .string(container), "width": .integer(width), "height": .integer(height),
        "pixel_format": .string(pixelFormat), "frame_rate": frameRate.map(JSON.string) ?? .null,
      ])
    }
  }

  package var version: String
  package var processID: Int
  package var preset: Preset
  package var options: RestorationOptions
  package var model: String
  package var precision: String
  package var threads: Int
  package var input, output: Stream
  /// Frames that come in before the first goes out; nil is all.
  package var latency: Int?
  /// What the buffers of the run take at most; with a chunk of 0, with its first frame.
  package var memory: Int
  /// Frames in the whole input, where it is a file.
  package var frameCount: Int?

  package init(
    version: String, processID: Int, preset: Preset, options: RestorationOptions, model: String,
    precision: String, threads: Int, input: Stream, output: Stream, latency: Int?, memory: Int,
    frameCount: Int?
  ) {
    self.version = version
    self.processID = processID
    self.preset = preset
    self.options = options
    self.model = model
    self.precision = precision
    self.threads = threads
    self.input = input
    self.output = output
    self.latency = latency
    self.memory = memory
    self.frameCount = frameCount
  }

  fileprivate func write(to line: inout JSONLine) {
    line.add("protocol", .integer(protocolVersion))
    line.add("version", .string(version))
    line.add("pid", .integer(processID))
    line.add("task", .string(options.task.rawValue))
    line.add("preset", .string(preset.rawValue))
    line.add("model", .string(model))
    line.add("precision", .string(precision))
    line.add("threads", .integer(threads))
    line.add("input", input.json)
    line.add("output", output.json)
    line.add("latency_frames", latency.map(JSON.integer) ?? .null)
    line.add("memory_bytes", .integer(memory))
    line.add("frame_count", frameCount.map(JSON.integer) ?? .null)
    line.add("options", options.json)
  }
}

/// How far the stream has come.
package struct Progress: Sendable {
  package var framesIn, framesOut: Int
  /// Frames that were late: left out, and passed through unrestored.
  package var framesSkipped, framesPassedThrough: Int
  package var sceneCuts: Int
  /// Since ``Event/ready``.
  package var seconds: Double
  /// Until the last frame, where the input's length is known.
  package var secondsLeft: Double?

  package init(
    framesIn: Int, framesOut: Int, framesSkipped: Int, framesPassedThrough: Int, sceneCuts: Int,
    seconds: Double, secondsLeft: Double? = nil
  ) {
    self.framesIn = framesIn
    self.framesOut = framesOut
    self.framesSkipped = framesSkipped
    self.framesPassedThrough = framesPassedThrough
    self.sceneCuts = sceneCuts
    self.seconds = seconds
    self.secondsLeft = secondsLeft
  }

  /// Frames that have come and not yet left.
  package var framesHeld: Int { framesIn - framesSkipped - framesOut }

  /// Frames written a second since ``Event/ready``.
  package var rate: Double { seconds > 0 ? Double(framesOut) / seconds : 0 }

  package func write(to line: inout JSONLine) {
    line.add("frames_in", .integer(framesIn))
    line.add("frames_out", .integer(framesOut))
    line.add("frames_held", .integer(framesHeld))
    line.add("frames_skipped", .integer(framesSkipped))
    line.add("frames_passed_through", .integer(framesPassedThrough))
    line.add("scene_cuts", .integer(sceneCuts))
    line.add("seconds", .rounded(seconds))
    line.add("fps", .rounded(rate))
    line.add("eta_seconds", secondsLeft.map { JSON.rounded($0) })
  }
}

/// Frames that came while the computing was behind, since the last such event.
package struct Late: Sendable {
  package enum Action: String, Sendable {
    case skipped
    case passedThrough = "passed_through"
  }

  package var first, last, count: Int
  /// Since the stream's beginning.
  package var total: Int
  package var action: Action

  package init(first: Int, last: Int, count: Int, total: Int, action: Action) {
    self.first = first
    self.last = last
    self.count = count
    self.total = total
    self.action = action
  }

  fileprivate func write(to line: inout JSONLine) {
    line.add("first_frame", .integer(first))
    line.add("last_frame", .integer(last))
    line.add("count", .integer(count))
    line.add("total", .integer(total))
    line.add("action", .string(action.rawValue))
  }
}

/// How the program ends, and what came of the stream.
package struct End: Sendable {
  package enum Reason: String, CaseIterable, Sendable {
    case endOfStream = "end_of_stream"
    /// SIGINT or SIGTERM: what was read is finished.
    case signal
    /// A client asked for the same.
    case drain
    /// A client asked for the end at once.
    case quit
    case error
  }

  package var reason: Reason
  /// The exit status.
  package var status: Int
  /// The line on stderr, where the status is not 0.
  package var message: String?
  package var totals: Progress
  /// Events that had no room, in all.
  package var lostEvents: Int

  package init(
    reason: Reason, status: Int, message: String?, totals: Progress, lostEvents: Int
  ) {
    self.reason = reason
    self.status = status
    self.message = message
    self.totals = totals
    self.lostEvents = lostEvents
  }

  fileprivate func write(to line: inout JSONLine) {
    line.add("reason", .string(reason.rawValue))
    line.add("status", .integer(status))
    line.add("message", message.map(JSON.string))
    totals.write(to: &line)
    line.add("lost_events", .integer(lostEvents))
  }
}

extension JSON {
  /// To three decimals unless more are asked for: milliseconds are enough for messages.
  package static func rounded(_ value: Double, decimals: Int = 3) -> JSON {
    var unit = 1.0
    for _ in 0..<decimals { unit *= 10 }
    return .number(value.isFinite ? (value * unit).rounded() / unit : 0)
  }
}
