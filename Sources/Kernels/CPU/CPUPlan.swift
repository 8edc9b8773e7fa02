import CKernels
import TensorCore

/// A graph as a list of steps with a place in memory for everything they touch.
final class CPUPlan: Plan {
  private let device: CPUDevice
  private let name: String
  private let contextSteps, runSteps, frameSteps: [any Step]
  /// Steps that also run for frames without an output of their own, as far as the last that reads a
  /// window: what the windows of other frames find there is then computed.
  private let neighbourStepCount: Int
  private let offsets: [Int]
  private let frameStride, contextByteCount, scratchByteCount: Int
  private let stepMemory: AlignedMemory
  private let contextInputs: [(value: Value, buffer: Buffer)]
  private let sites: [FeatureSite]
  private let rows: [(value: Value, buffer: Buffer)]
  private let scalarRows: [Value]

  private var boundTensors: [[CPUTensor?]]
  private var boundPointers: [[UnsafeMutableRawPointer?]]
  private var scalars: [Float]
  private var parameters: [Float]

  init(_ graph: Graph, on device: CPUDevice) throws(KernelError) {
    self.device = device
    name = graph.name
    sites = graph.sites
    let lowering = try Lowering(graph, device)
    func steps(_ scope: Scope) -> [any Step] {
      lowering.steps.filter { $0.scope == scope }.map(\.step)
    }
    contextSteps = steps(.context)
    runSteps = steps(.step)
    frameSteps = steps(.frame)
    neighbourStepCount = frameSteps.lastIndex { $0.readsWindow } ?? 0
    contextInputs = lowering.contextInputs
    rows = lowering.bound
    scalarRows = lowering.scalars

    var offsets = Array(repeating: 0, count: lowering.buffers.count)
    for (row, entry) in rows.enumerated() { offsets[entry.buffer.index] = row }
    contextByteCount = Self.lineUp(lowering.buffers.filter { $0.place == .context }, &offsets)
    stepMemory = AlignedMemory(
      byteCount: Self.lineUp(lowering.buffers.filter { $0.place == .step }, &offsets))

    var lifetimes: [Int: ClosedRange<Int>] = [:]
    for (index, step) in frameSteps.enumerated() {
      for buffer in step.reads + step.writes where buffer.place == .frame {
        let start = lifetimes[buffer.index]?.lowerBound ?? index
        lifetimes[buffer.index] = start...index
      }
    }
    let living = lowering.buffers.filter { lifetimes[$0.index] != nil }
    let layout = ArenaLayout(
      living.map { .init(byteCount: $0.byteCount, lifetime: lifetimes[$0.index]!) })
    for (buffer, offset) in zip(living, layout.offsets) { offsets[buffer.index] = offset }
    frameStride = layout.byteCount
    self.offsets = offsets
    let scratch = lowering.steps.map(\.step.scratchByteCount).max() ?? 0
    scratchByteCount = scratch.roundedUp(to: AlignedMemory.alignment)

    boundTensors = Array(repeating: [], count: rows.count)
    boundPointers = Array(repeating: [], count: rows.count)
    scalars = Array(repeating: 0, count: scalarRows.count)
    parameters = Array(repeating: 1, count: graph.parameterCount)
  }

  /// Places buffers one behind the other; returns the bytes they take.
  private static func lineUp(_ buffers: [Buffer], _ offsets: inout [Int]) -> Int {
    var end = 0
    for buffer in buffers {
      offsets[buffer.index] = end
      end += buffer.byteCount.roundedUp(to: AlignedMemory.alignment)
    }
    return end
  }

  func workspaceByteCount(frames: Int) -> Int { scratchByteCount + frames * frameStride }

  func featureByteCount(passes: Int, slots: Int) -> Int {
    CPUFeatureCache.byteCount(
      sites: sites, type: device.activationType, passes: passes, slots: slots)
  }

  // MARK: Inputs and outputs

  func bind(_ value: Value, frame: Int, to tensor: any DeviceTensor) {
    let tensor = tensor as! CPUTensor
    var found = false
    // The same value may be an input that is also read out, or two outputs of different storage.
    for (row, entry) in rows.enumerated()
    where entry.value == value && entry.buffer.type == tensor.type {
      precondition(
        tensor.shape.count == value.shape.count,
        "\(name): tensor of \(tensor.shape) bound where \(value.shape) is")
      while boundTensors[row].count <= frame {
        boundTensors[row].append(nil)
        boundPointers[row].append(nil)
      }
      boundTensors[row][frame] = tensor
      boundPointers[row][frame] = tensor.pointer
      found = true
    }
    precondition(found, "\(name): bound value is neither input nor output of that storage")
  }

  func unbindAll() {
    for row in rows.indices {
      boundTensors[row] = []
      boundPointers[row] = []
    }
  }

  func set(_ scalar: Value, to number: Float) {
    scalars[scalarRows.firstIndex(of: scalar)!] = number
  }

  func set(_ parameter: Parameter, to number: Float) { parameters[parameter.index] = number }

  // MARK: Running

  private final class Context: PreparedContext {
    let memory: AlignedMemory
    init(byteCount: Int) { memory = AlignedMemory(byteCount: byteCount) }
  }

  func prepareContext(_ values: [Value: Tensor]) throws(KernelError) -> any PreparedContext {
    device.enter()
    let context = Context(byteCount: contextByteCount)
    for (value, buffer) in contextInputs {
      guard let tensor = values[value], tensor.shape.count == value.shape.count else {
        throw KernelError(
          "\(name): input of shape \(value.shape) expected for the prompt, "
            + "found \(values[value].map { "\($0.shape)" } ?? "none")")
      }
      tensor.elements.withUnsafeBytes {
        (context.memory.pointer + offsets[buffer.index])
          .copyMemory(from: $0.baseAddress!, byteCount: $0.count)
      }
    }
    let execution = try execution(frames: 1, context: context, window: nil)
    for step in contextSteps { try run(step, execution, frames: 1) }
    return context
  }

  func run(
    frames: Int, outputs: Int, context: (any PreparedContext)?, window: WindowPass?
  ) throws(KernelError) {
    precondition(outputs > 0 && outputs <= frames)
    if let window { precondition(window.sources.count == frames, "a window for each frame") }
    device.enter()
    let execution = try execution(frames: frames, context: context as! Context?, window: window)
    for step in runSteps { try step.run(execution, frame: 0) }
    for (index, step) in frameSteps.enumerated() {
      let areRead = window != nil && index < neighbourStepCount
      try run(step, execution, frames: areRead ? frames : outputs)
    }
  }

  private func run(
    _ step: any Step, _ execution: Execution, frames: Int
  ) throws(KernelError) {
    let start = device.profile == nil ? nil : ContinuousClock.now
    for frame in 0..<frames { try step.run(execution, frame: frame) }
    step.finish(execution)
    if let start { device.profile?.add(ContinuousClock.now - start, to: step.label) }
  }

  private func execution(
    frames: Int, context: Context?, window: WindowPass?
  ) throws(KernelError) -> Execution {
    let memory = try device.workspace.reserve(workspaceByteCount(frames: frames))
    return Execution(
      frames: frames, frameBase: memory + scratchByteCount, frameStride: frameStride,
      stepBase: stepMemory.pointer, contextBase: context?.memory.pointer, scratch: memory,
      offsets: offsets, bound: boundPointers, scalars: scalars, parameters: parameters,
      window: window, threads: device.threads)
  }

  func makeFeatureCache(passes: Int, slots: Int) throws(KernelError) -> any FeatureCache {
    do throws(OutOfMemory) {
      return try CPUFeatureCache(
        sites: sites, type: device.activationType, passes: passes, slots: slots)
    } catch { throw KernelError(error) }
  }
}
