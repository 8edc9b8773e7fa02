import CKernels
import TensorCore

/// Turns a graph's operations into steps on buffers: chooses element types, adds conversions, and
/// lets a result take the place of an operand that nobody reads any more.
struct Lowering {
  private let graph: Graph
  let device: CPUDevice
  var steps: [(step: any Step, scope: Scope)] = []
  private(set) var buffers: [Buffer] = []
  /// Rows of bound tensors: the buffer of each, in the order of inputs and outputs.
  private(set) var bound: [(value: Value, buffer: Buffer)] = []
  /// Buffers of the prompt's inputs.
  private(set) var contextInputs: [(value: Value, buffer: Buffer)] = []
  /// The step's, in the order in which ``Execution/scalars`` has them.
  private(set) var scalars: [Value] = []

  private var placed: [Int: Buffer] = [:]
  private var converted: [Conversion: Buffer] = [:]
  private var lastUse: [Int: Int] = [:]
  private var useCount: [Int: Int] = [:]
  /// Outputs that their operation can write straight to the bound tensor.
  private var direct: [Int: Storage] = [:]

  private struct Conversion: Hashable {
    let value: Int
    let type: ElementType
  }

  init(_ graph: Graph, _ device: CPUDevice) throws(KernelError) {
    self.graph = graph
    self.device = device
    for (index, node) in graph.nodes.enumerated() {
      for input in node.inputs {
        lastUse[input.index] = index
        useCount[input.index, default: 0] += 1
      }
    }
    for (value, storage) in graph.outputs {
      if useCount[value.index] == nil && graph.outputs.count(where: { $0.value == value }) == 1
        && canWriteDirectly(value, storage)
      {
        direct[value.index] = storage
      }
      lastUse[value.index] = .max
    }
    for (index, node) in graph.nodes.enumerated() { try lower(node, at: index) }
    for (value, storage) in graph.outputs where direct[value.index] == nil {
      let target = bind(value, storage)
      convert(placed[value.index]!, to: target, count: value.shape.count, scope: .frame)
    }
  }

  private func type(_ storage: Storage) -> ElementType {
    storage == .exact ? .f32 : device.activationType
  }

  private func canWriteDirectly(_ value: Value, _ storage: Storage) -> Bool {
    switch graph.nodes[value.index].operation {
    case .input, .scalar: false
    case .convolution, .linear, .affine: true
    case .haarAnalysis, .haarSynthesis: type(storage) == .f32
    default: type(storage) == device.activationType
    }
  }

  // MARK: Buffers

  private mutating func makeBuffer(_ place: Buffer.Place, _ type: ElementType, count: Int) -> Buffer
  {
    let buffer = Buffer(
      index: buffers.count, place: place, type: type, byteCount: count * type.byteCount)
    buffers.append(buffer)
    return buffer
  }

  private mutating func bind(_ value: Value, _ storage: Storage) -> Buffer {
    let buffer = makeBuffer(.bound, type(storage), count: value.shape.count)
    bound.append((value, buffer))
    return buffer
  }

  /// The buffer that an operation's result goes to.
  /// - Parameter type: nil is that of all values of the scope.
  mutating func target(
    _ value: Value, as type: ElementType? = nil, inPlaceOf operand: Value? = nil, at index: Int
  ) -> Buffer {
    if let storage = direct[value.index] {
      let buffer = bind(value, storage)
      placed[value.index] = buffer
      return buffer
    }
    let type = type ?? (value.scope == .step ? .f32 : device.activationType)
    if let operand, let buffer = placed[operand.index], lastUse[operand.index] == index,
      buffer.place == .frame, buffer.type == type, value.scope == .frame
    {
      placed[value.index] = buffer
      return buffer
    }
    let place: Buffer.Place =
      switch value.scope {
      case .context: .context
      case .step: .step
      case .frame: .frame
      }
    let buffer = makeBuffer(place, type, count: value.shape.count)
    placed[value.index] = buffer
    return buffer
  }

  /// A value's buffer in the element type that an operation reads.
  mutating func operand(_ value: Value, as type: ElementType) -> Buffer {
    let buffer = placed[value.index]!
    if buffer.type == type { return buffer }
    let key = Conversion(value: value.index, type: type)
    if let known = converted[key] { return known }
    let place = buffer.place == .bound ? Buffer.Place.frame : buffer.place
    let result = makeBuffer(place, type, count: value.shape.count)
    convert(buffer, to: result, count: value.shape.count, scope: value.scope)
    converted[key] = result
    return result
  }

  /// What an operation of one input reads and writes, where the result may take the input's place.
  mutating func buffers(of node: Graph.Node, at index: Int) -> (source: Buffer, target: Buffer) {
    let source = operand(node.inputs[0], as: device.activationType)
    return (source, target(node.output, inPlaceOf: node.inputs[0], at: index))
  }

  private mutating func convert(_ source: Buffer, to target: Buffer, count: Int, scope: Scope) {
    affine(source, to: target, scale: 1, offset: 0, count: count, scope: scope)
  }

  private mutating func affine(
    _ source: Buffer, to target: Buffer, scale: Float, offset: Float, count: Int, scope: Scope
  ) {
    let step = KernelStep("conversion", [source], to: target) { execution, sources, output in
      tdm_affine(
        target.type.kernel, output, source.type.kernel, sources(0), scale, offset, count,
        execution.threads)
    }
    steps.append((step, scope))
  }

  // MARK: Operations

  private mutating func lower(_ node: Graph.Node, at index: Int) throws(KernelError) {
    let (value, inputs) = (node.output, node.inputs)
    let count = value.shape.count
    let type = device.activationType

    switch node.operation {
    case .input(let storage): lowerInput(value, storage)
    case .scalar: scalars.append(value)
    case .timestepEmbedding(let settings): lower(settings, node, at: index)
    case .convolution(let settings): try lower(settings, node, at: index)
    case .linear(let settings): try lower(settings, node, at: index)
    case .groupNorm(let settings): try lower(settings, node, at: index)
    case .layerNorm(let settings): try lower(settings, node, at: index)
    case .attention(let settings): lower(settings, node, at: index)
    case .windowStack(let settings): lower(settings, node, at: index)

    case .activation(let activation):
      append(value, inputs, inPlace: true, at: index, "activation") { execution, sources, output in
        tdm_activate(
          execution.type(of: value, else: type), output, sources(0), count, activation.kernel,
          execution.threads)
      }

    case .add(let scale):
      append(value, inputs, inPlace: true, at: index, "addition") { execution, sources, output in
        tdm_add(
          execution.type(of: value, else: type), output, sources(0), sources(1),
          execution.factor(scale), count, execution.threads)
      }

    case .gatedGELU:
      append(value, inputs, at: index, "gated GELU") { execution, sources, output in
        tdm_geglu(
          type.kernel, output, sources(0), value.shape.rows, value.shape.channels,
          execution.threads)
      }

    case .concatenation(let scale): lowerConcatenation(scale: scale, node, at: index)
    case .upsampling: lowerUpsampling(node, at: index)

    case .softClamp(let limit):
      append(value, inputs, inPlace: true, at: index, "soft clamp") { execution, sources, output in
        tdm_soft_clamp(type.kernel, output, sources(0), limit, count, execution.threads)
      }

    case .affine(let scale, let offset):
      // Reads and writes any element type: no conversion beside it.
      let source = placed[inputs[0].index]!
      let output = target(value, inPlaceOf: inputs[0], at: index)
      affine(source, to: output, scale: scale, offset: offset, count: count, scope: value.scope)

    case .haarAnalysis(let factors): lowerHaarAnalysis(factors, node, at: index)
    case .haarSynthesis(let factors): lowerHaarSynthesis(factors, node, at: index)
    case .transformer(let operation): try lower(operation, node, at: index)
    case .video(let operation): lower(operation, node, at: index)
    }
  }

  private mutating func lowerInput(_ value: Value, _ storage: Storage) {
    if value.scope == .context {
      let buffer = makeBuffer(.context, .f32, count: value.shape.count)
      contextInputs.append((value, buffer))
      placed[value.index] = buffer
    } else {
      placed[value.index] = bind(value, storage)
    }
  }

  private mutating func lower(_ settings: TimestepEmbedding, _ node: Graph.Node, at index: Int) {
    let value = node.output
    let row = scalars.firstIndex(of: node.inputs[0])!
    append(value, [], at: index, "time embedding") { execution, _, output in
      settings.write(
        to: output.assumingMemoryBound(to: Float.self), channels: value.shape.count,
        timestep: execution.scalars[row])
    }
  }

  private mutating func lowerConcatenation(
    scale: Parameter?, _ node: Graph.Node, at index: Int
  ) {
    let (value, inputs) = (node.output, node.inputs)
    let type = device.activationType
    let (a, b) = (inputs[0].shape.channels, inputs[1].shape.channels)
    append(value, inputs, at: index, "concatenation") { execution, sources, output in
      tdm_concat(
        type.kernel, output, sources(0), a, sources(1), b, inputs.count > 2 ? sources(2) : nil,
        execution.factor(scale), value.shape.rows, execution.threads)
    }
  }

  private mutating func lowerUpsampling(_ node: Graph.Node, at index: Int) {
    let (to, from) = (node.output.shape, node.inputs[0].shape)
    let type = device.activationType
    append(node.output, node.inputs, at: index, "upsampling") { execution, sources, output in
      tdm_upsample_nearest(
        type.kernel, output, tdm_extents(to), sources(0), tdm_extents(from), from.channels,
        execution.threads)
    }
  }

  private mutating func lowerHaarAnalysis(
    _ factors: [Float], _ node: Graph.Node, at index: Int
  ) {
    let shape = node.output.shape
    appendExact(node, at: index, "Haar transform") { execution, sources, output in
      tdm_haar_analysis(
        output.assumingMemoryBound(to: Float.self),
        sources(0).assumingMemoryBound(to: Float.self), shape[0], shape[1], shape[2] / 4, factors,
        execution.threads)
    }
  }

  private mutating func lowerHaarSynthesis(
    _ factors: [Float], _ node: Graph.Node, at index: Int
  ) {
    let shape = node.output.shape
    appendExact(node, at: index, "Haar transform") { execution, sources, output in
      tdm_haar_synthesis(
        output.assumingMemoryBound(to: Float.self),
        sources(0).assumingMemoryBound(to: Float.self), shape[0] / 2, shape[1] / 2, shape[2],
        factors, execution.threads)
    }
  }

  /// An operation that reads and writes float32 only.
  private mutating func appendExact(
    _ node: Graph.Node, at index: Int, _ label: String, _ kernel: @escaping KernelStep.Kernel
  ) {
    let source = operand(node.inputs[0], as: .f32)
    let output = target(node.output, as: .f32, at: index)
    steps.append((KernelStep(label, [source], to: output, kernel), node.output.scope))
  }

  mutating func append(
    _ value: Value, _ inputs: [Value], inPlace: Bool = false, at index: Int, _ label: String,
    _ kernel: @escaping KernelStep.Kernel
  ) {
    let type = value.scope == .step ? ElementType.f32 : device.activationType
    let sources = inputs.map { operand($0, as: type) }
    let output = target(value, inPlaceOf: inPlace ? inputs.first : nil, at: index)
    steps.append((KernelStep(label, sources, to: output, kernel), value.scope))
  }
}

extension Execution {
  fileprivate func factor(_ parameter: Parameter?) -> Float {
    parameter.map { parameters[$0.index] } ?? 1
  }

  /// What depends on the timestep alone is kept in float32.
  fileprivate func type(of value: Value, else type: ElementType) -> tdm_type {
    value.scope == .step ? TDM_F32 : type.kernel
  }
}
