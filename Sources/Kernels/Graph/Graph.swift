import TensorCore

/// A network for frames of one size, as a list of operations in the order of their computation.
///
/// Networks describe themselves to a graph; a ``Device`` plans it once and then runs it. A graph
/// knows no processor: what a device fuses, reorders or keeps in another precision is its own
/// affair.
///
/// What depends only on the prompt or only on the timestep is marked so by its inputs' ``Scope``
/// and is computed as often as that changes.
///
/// Shapes that do not fit are programming errors and end the program: checkpoints' shapes are
/// checked where they are read.
public final class Graph {
  struct Node: Sendable {
    let operation: Operation
    let inputs: [Value]
    let output: Value
  }

  /// For messages and timings: `unet`.
  public let name: String
  private(set) var nodes: [Node] = []
  private(set) var outputs: [(value: Value, storage: Storage)] = []
  private(set) var parameterCount = 0
  /// Of each layer that reads a window.
  private(set) var sites: [FeatureSite] = []

  public init(name: String) { self.name = name }

  func append(_ operation: Operation, _ inputs: [Value], shape: Shape, scope: Scope? = nil) -> Value
  {
    let joined = inputs.dropFirst().reduce(inputs.first?.scope ?? .frame) {
      $0.joined(with: $1.scope)
    }
    let value = Value(index: nodes.count, shape: shape, scope: scope ?? joined)
    nodes.append(Node(operation: operation, inputs: inputs, output: value))
    return value
  }

  // MARK: What enters and leaves

  /// A tensor given for each frame (or, in the scope of the prompt, to
  /// ``Plan/prepareContext(_:)``).
  public func input(_ shape: Shape, scope: Scope = .frame, storage: Storage = .exact) -> Value {
    precondition(scope != .step, "a step's input is a scalar")
    return append(.input(storage), [], shape: shape, scope: scope)
  }

  /// A number given for each run: the timestep.
  public func stepScalar() -> Value { append(.scalar, [], shape: [1], scope: .step) }

  /// A factor given for each run; 1 until it is set.
  public func parameter() -> Parameter {
    parameterCount += 1
    return Parameter(index: parameterCount - 1)
  }

  /// Marks a value of a frame to be written to a bound tensor.
  public func output(_ value: Value, storage: Storage = .exact) {
    precondition(value.scope == .frame)
    outputs.append((value, storage))
  }

  // MARK: Layers with weights

  /// activation(convolution(image) + bias + stepBias + residual).
  /// - Parameters:
  ///   - image: [H, W, Cin], or a video [T, H, W, Cin].
  ///   - weight: [Cout, Cin, height, width]; for a video also [Cout, Cin, frames, height, width],
  ///     where nothing is added before or behind its frames.
  ///   - bias: [Cout]
  ///   - stepBias: [Cout], the time embedding's share.
  ///   - residual: shaped as the result.
  /// - Returns: [(H + padding - height) / stride + 1, …, Cout]; of a video [T - frames + 1, …].
  public func convolution(
    _ image: Value, weight: WeightTensor, bias: WeightTensor?, stride: Int = 1,
    padding: Padding = Padding(1), stepBias: Value? = nil, adding residual: Value? = nil,
    activation: Activation = .none
  ) -> Value {
    let (of, kernel) = (image.shape, weight.shape)
    precondition((3...4) ~= of.rank && (4...of.rank + 1) ~= kernel.rank)
    precondition(of.channels == kernel[1], "\(weight.name): \(kernel) for \(of)")
    let height =
      (of[of.rank - 3] + padding.top + padding.bottom - kernel[kernel.rank - 2]) / stride + 1
    let width =
      (of[of.rank - 2] + padding.left + padding.right - kernel[kernel.rank - 1]) / stride + 1
    let frames = of.rank == 3 ? [] : [of[0] - (kernel.rank == 5 ? kernel[2] - 1 : 0)]
    let shape = Shape(frames + [height, width, kernel[0]])
    if let residual { precondition(residual.shape.count == shape.count) }
    let settings = Convolution(
      weight: weight, bias: bias, stride: stride, padding: padding, hasStepBias: stepBias != nil,
      hasResidual: residual != nil, activation: activation)
    return append(
      .convolution(settings), [image] + [stepBias, residual].compactMap { $0 }, shape: shape)
  }

  /// activation(sequence · weightᵀ + bias + residual).
  /// - Parameters:
  ///   - sequence: [T, Cin] (or an image, or a vector [Cin])
  ///   - weight: [Cout, Cin]
  /// - Returns: shaped as `sequence` with Cout channels.
  public func linear(
    _ sequence: Value, weight: WeightTensor, bias: WeightTensor?, adding residual: Value? = nil,
    activation: Activation = .none
  ) -> Value {
    precondition(
      weight.shape.rank == 2 && sequence.shape.channels == weight.shape[1],
      "\(weight.name): \(weight.shape) for \(sequence.shape)")
    let shape = Shape(sequence.shape.extents.dropLast() + [weight.shape[0]])
    if let residual { precondition(residual.shape.count == shape.count) }
    let settings = Linear(
      weight: weight, bias: bias, hasResidual: residual != nil, activation: activation)
    return append(
      .linear(settings), [sequence] + [residual].compactMap { $0 }, shape: shape)
  }

  /// activation(group normalization). Statistics over a group's channels and all pixels of the
  /// frame.
  public func groupNorm(
    _ image: Value, groupCount: Int, epsilon: Float, weight: WeightTensor, bias: WeightTensor,
    activation: Activation = .none
  ) -> Value {
    precondition(image.shape.channels % groupCount == 0)
    let settings = GroupNorm(
      groupCount: groupCount, epsilon: epsilon, weight: weight, bias: bias, activation: activation)
    return append(.groupNorm(settings), [image], shape: image.shape)
  }

  /// Layer normalization of each token's channels, or of each head's where the weights are a
  /// head's.
  public func layerNorm(
    _ sequence: Value, epsilon: Float, weight: WeightTensor, bias: WeightTensor
  ) -> Value {
    precondition(sequence.shape.channels % weight.shape.count == 0)
    return append(
      .layerNorm(LayerNorm(epsilon: epsilon, weight: weight, bias: bias)), [sequence],
      shape: sequence.shape)
  }

  // MARK: Attention

  /// softmax(q kᵀ / √headDimension) v for each head.
  /// - Parameters:
  ///   - queries: [T, headCount · headDimension]
  ///   - keys: [S, headCount · headDimension]; may be of the prompt's scope.
  ///   - values: shaped as `keys`.
  ///   - isCausal: token i reads tokens 0...i only.
  ///   - readsWindow: keys and values are means over the frames of a ``WindowPass``, where a run
  ///     has one.
  /// - Returns: [T, headCount · headDimension]
  public func attention(
    queries: Value, keys: Value, values: Value, headCount: Int,
    isCausal: Bool = false, readsWindow: Bool = false
  ) -> Value {
    let channels = queries.shape.channels
    precondition(channels % headCount == 0 && keys.shape == values.shape)
    precondition(keys.shape.channels == channels)
    if readsWindow { sites.append(FeatureSite(shapes: [keys.shape, values.shape])) }
    let settings = Attention(
      headCount: headCount, headDimension: channels / headCount, isCausal: isCausal,
      site: readsWindow ? sites.count - 1 : nil)
    return append(
      .attention(settings), [queries, keys, values], shape: queries.shape)
  }

  /// The images of a window's frames side by side: the frame's own in the middle, those of the
  /// `radius` frames before it first. A frame that the ``WindowPass`` does not name, and every one
  /// where a run has none, is the frame itself.
  /// - Parameter image: [H, W, C]
  /// - Returns: [H, W, (2 · radius + 1) · C]
  public func windowStack(_ image: Value, radius: Int) -> Value {
    precondition(image.shape.rank == 3 && radius > 0)
    sites.append(FeatureSite(shapes: [image.shape]))
    let shape = image.shape
    return append(
      .windowStack(WindowStack(radius: radius, site: sites.count - 1)), [image],
      shape: [shape[0], shape[1], (2 * radius + 1) * shape[2]])
  }

  // MARK: Element-wise and rearranging

  public func activation(_ activation: Activation, _ x: Value) -> Value {
    append(.activation(activation), [x], shape: x.shape)
  }

  /// a + scale · b.
  public func add(_ a: Value, _ b: Value, scale: Parameter? = nil) -> Value {
    precondition(a.shape.count == b.shape.count)
    return append(.add(scale: scale), [a, b], shape: a.shape)
  }

  /// [T, 2C] -> [T, C]: first half · gelu(second half).
  public func gatedGELU(_ x: Value) -> Value {
    append(
      .gatedGELU, [x], shape: Shape(x.shape.extents.dropLast() + [x.shape.channels / 2]))
  }

  /// The channels of a, then those of b + scale · addend.
  public func concatenation(
    _ a: Value, _ b: Value, adding addend: Value? = nil, scale: Parameter? = nil
  ) -> Value {
    precondition(a.shape.rows == b.shape.rows)
    let channels = a.shape.channels + b.shape.channels
    return append(
      .concatenation(scale: scale), [a, b] + [addend].compactMap { $0 },
      shape: Shape(a.shape.extents.dropLast() + [channels]))
  }

  /// Nearest-neighbour enlargement of an image.
  public func upsampling(_ image: Value, height: Int, width: Int) -> Value {
    append(.upsampling, [image], shape: [height, width, image.shape.channels])
  }

  /// limit · tanh(x / limit).
  public func softClamp(_ x: Value, limit: Float) -> Value {
    append(.softClamp(limit: limit), [x], shape: x.shape)
  }

  /// scale · x + offset.
  public func affine(_ x: Value, scale: Float = 1, offset: Float = 0) -> Value {
    append(.affine(scale: scale, offset: offset), [x], shape: x.shape)
  }

  /// One level of the Haar transform, in float32 whatever the device computes in.
  /// - Parameters:
  ///   - image: [H, W, C], both sides even.
  ///   - factors: of the sum of a block's pixels, and of the differences along x, along y and along
  ///     both.
  /// - Returns: [H / 2, W / 2, 4C], band by band.
  public func haarAnalysis(_ image: Value, factors: [Float]) -> Value {
    let shape = image.shape
    precondition(shape.rank == 3 && shape[0] % 2 == 0 && shape[1] % 2 == 0 && factors.count == 4)
    return append(
      .haarAnalysis(factors: factors), [image], shape: [shape[0] / 2, shape[1] / 2, 4 * shape[2]])
  }

  /// The way back from ``haarAnalysis(_:factors:)``: where the factors of the two multiply to 1/4,
  /// the same image.
  /// - Parameter bands: [h, w, 4C]
  /// - Returns: [2h, 2w, C]
  public func haarSynthesis(_ bands: Value, factors: [Float]) -> Value {
    let shape = bands.shape
    precondition(shape.rank == 3 && shape[2] % 4 == 0 && factors.count == 4)
    return append(
      .haarSynthesis(factors: factors), [bands], shape: [2 * shape[0], 2 * shape[1], shape[2] / 4])
  }

  /// Sinusoidal embedding of a step's scalar: [channels].
  /// - Parameters:
  ///   - flipsSineToCosine: cosines first.
  ///   - frequencyShift: subtracted from channels / 2 in the frequencies' denominator.
  public func timestepEmbedding(
    _ scalar: Value, channels: Int, flipsSineToCosine: Bool, frequencyShift: Float
  ) -> Value {
    append(
      .timestepEmbedding(
        TimestepEmbedding(flipsSineToCosine: flipsSineToCosine, frequencyShift: frequencyShift)),
      [scalar], shape: [channels])
  }
}
