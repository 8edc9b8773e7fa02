/// One operation made ready to run.
protocol Step {
  /// For timings.
  var label: String { get }
  var scratchByteCount: Int { get }
  /// Buffers that have to keep their contents until this step, and those that it writes.
  var reads: [Buffer] { get }
  var writes: [Buffer] { get }
  /// Whether a frame of the run, or a later one, reads what another one has here.
  var readsWindow: Bool { get }
  /// Computes one frame.
  func run(_ execution: Execution, frame: Int) throws(KernelError)
  /// Called once a run, after the last frame.
  func finish(_ execution: Execution)
}

extension Step {
  var scratchByteCount: Int { 0 }
  var readsWindow: Bool { false }
  func finish(_ execution: Execution) {}
}
