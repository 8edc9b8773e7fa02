import Restoration

/// What the frames of a stream take outside of the restorer, and what they leave it.
struct FrameMemory {
  /// What the program takes beside all buffers, in bytes: its libraries, the code that oneDNN makes
  /// for the networks, a model's file that is unpacked, prompts' features. Measured, with something
  /// to spare, as is what is added where clients may change to other tasks and presets: files of
  /// all models, and code and features of those that were changed to.
  let program: Int
  static let programByteCount = 72 << 20
  static let changesByteCount = 44 << 20

  /// Of all that the process holds.
  let limits: MemoryLimits
  let whenLate: WhenLate
  /// Bytes of a frame as it came.
  let inputFrame: Int
  /// Bytes of a frame as it goes.
  let outputFrame: Int
  /// Bytes of pictures between formats.
  let pictures: Int

  /// Bytes of all frames on their way.
  func total(with options: RestorationOptions) -> Int {
    let passing = whenLate == .passthrough ? Intake.heldLimit(frameByteCount: inputFrame) : 0
    // One is being read.
    let arriving = 1 + whenLate.places(options) + passing + (options.latency ?? 1)
    // One leaves the restorer, and one is being written.
    let leaving = FramePath.outgoingCapacity + 2
    return pictures + arriving * inputFrame + leaving * outputFrame
  }

  /// The restorer's limits.
  func rest(with options: RestorationOptions) -> MemoryLimits {
    var rest = limits
    rest.beside = total(with: options) + program
    rest.total? -= rest.beside
    return rest
  }
}
