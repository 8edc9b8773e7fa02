import Restoration
import StrictJSON

/// What is known before the first frame.
package struct Hello: Sendable {
  /// One side of the filter.
  package struct Stream: Sendable {
    package var container, pixelFormat: String
    package var width, height: Int
    /// Frames a second, `N/D`; nil where unknown.
    package var frameRate: String?
    /// As they are read; nil of RGB and gray, which have none.
    package var matrix: String?
    package var range: String

    package init(
      container: String, width: Int, height: Int, pixelFormat: String, frameRate: String?,
      matrix: String?, range: String
    ) {
      self.container = container
      self.width = width
      self.height = height
      self.pixelFormat = pixelFormat
      self.frameRate = frameRate
      self.matrix = matrix
      self.range = range
    }

    fileprivate var json: JSON {
      .object([
        "container": .string(container), "width": .integer(width), "height": .integer(height),
        "pixel_format": .string(pixelFormat), "frame_rate": frameRate.map(JSON.string) ?? .null,
        "matrix": matrix.map(JSON.string) ?? .null, "range": .string(range),
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
  /// Frames in the whole input, where it is a file or somebody has said how many.
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

  func write(to line: inout JSONLine) {
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
