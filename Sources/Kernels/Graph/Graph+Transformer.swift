import TensorCore

/// Tokens that are scaled alike.
public struct RowSpan: Sendable {
  /// How many.
  public let count: Int
  /// Where their factors begin in the step's vector.
  public let scale: Int
  /// Where what is added to them begins; nil for nothing.
  public let shift: Int?

  public init(count: Int, scale: Int, shift: Int? = nil) {
    self.count = count
    self.scale = scale
    self.shift = shift
  }
}

/// What transformers over tokens of two kinds need beside attention and linear layers.
extension Graph {
  /// A range of the outermost extent: frames of a video, rows of an image, tokens of a sequence.
  public func slice(_ x: Value, _ range: Range<Int>) -> Value {
    precondition(!range.isEmpty && range.lowerBound >= 0 && range.upperBound <= x.shape[0])
    if range == 0..<x.shape[0] { return x }
    return append(
      .transformer(.slice(range)), [x], shape: Shape([range.count] + x.shape.extents.dropFirst()))
  }

  /// Values one behind the other along their outermost extent; the others are alike.
  public func stacked(_ values: [Value]) -> Value {
    let inner = values[0].shape.extents.dropFirst()
    precondition(
      values.allSatisfy { $0.shape.extents.dropFirst() == inner && $0.scope != .step })
    return append(
      .transformer(.stacking), values, shape: Shape([values.reduce(0) { $0 + $1.shape[0] }] + inner)
    )
  }

  /// The same elements under another shape.
  public func reshaped(_ x: Value, _ shape: Shape) -> Value {
    precondition(shape.count == x.shape.count)
    return Value(index: x.index, shape: shape, scope: x.scope)
  }

  /// x with its first rows those of the last frame of the run.
  public func borrowing(rows: Int, _ x: Value) -> Value {
    precondition(rows <= x.shape[0] && x.scope == .frame)
    return append(.transformer(.borrowing(rows: rows)), [x], shape: x.shape)
  }

  /// x / √(mean of squares + epsilon) · weight, over each token's channels.
  public func rmsNorm(_ sequence: Value, epsilon: Float, weight: WeightTensor) -> Value {
    precondition(sequence.shape.channels == weight.shape.count)
    return append(
      .transformer(.rmsNorm(RMSNorm(epsilon: epsilon, weight: weight))), [sequence],
      shape: sequence.shape)
  }

  /// a · b, element by element.
  public func product(_ a: Value, _ b: Value) -> Value {
    precondition(a.shape.count == b.shape.count && a.scope != .step && b.scope != .step)
    return append(.transformer(.product), [a, b], shape: a.shape)
  }

  /// residual + x · (offset + scale) + shift, scale and shift by span of tokens.
  /// - Parameters:
  ///   - x: [T, C]
  ///   - vector: a step's: the scales and shifts, each C long, that the spans name.
  ///   - spans: T tokens in all.
  public func rowScaling(
    _ x: Value, by vector: Value, _ spans: [RowSpan], offset: Float = 0,
    adding residual: Value? = nil
  ) -> Value {
    precondition(vector.scope == .step && spans.reduce(0) { $0 + $1.count } == x.shape.rows)
    let channels = x.shape.channels
    for span in spans {
      precondition(max(span.scale, span.shift ?? 0) + channels <= vector.shape.count)
    }
    return append(
      .transformer(.rowScaling(RowScaling(spans: spans, offset: offset))),
      [x, vector] + [residual].compactMap { $0 }, shape: x.shape, scope: x.scope)
  }

  /// softmax(q kᵀ + bias) v for each head, unscaled.
  /// - Parameters:
  ///   - queries: [T, headCount · headDimension]; keys and values alike.
  ///   - bias: [headCount, T, T]
  public func biasedAttention(
    queries: Value, keys: Value, values: Value, bias: Value, headCount: Int
  ) -> Value {
    let tokens = queries.shape.rows
    precondition(queries.shape.channels % headCount == 0)
    precondition(keys.shape == queries.shape && values.shape == queries.shape)
    precondition(bias.shape == [headCount, tokens, tokens])
    return append(
      .transformer(.biasedAttention(headCount: headCount)), [queries, keys, values, bias],
      shape: queries.shape)
  }
}
