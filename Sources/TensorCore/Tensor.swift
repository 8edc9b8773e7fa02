/// A tensor of float32 in ordinary memory, row-major: what enters and leaves the networks.
///
/// Images are [height, width, channels], sequences [tokens, channels].
public struct Tensor: Sendable, Equatable {
  public let shape: Shape
  public var elements: [Float]

  /// - Precondition: `elements` holds as many as `shape` says.
  public init(_ shape: Shape, _ elements: [Float]) {
    precondition(shape.count == elements.count, "\(elements.count) elements for shape \(shape)")
    self.shape = shape
    self.elements = elements
  }

  public init(_ shape: Shape, repeating value: Float = 0) {
    self.init(shape, Array(repeating: value, count: shape.count))
  }
}
