import TensorCore

/// How often a value of a graph changes, and so how often it has to be computed.
public enum Scope: Int, Sendable {
  /// With the prompt: computed once by ``Plan/prepareContext(_:)``.
  case context
  /// With the timestep: computed once a run, for all frames together.
  case step
  /// With the frame.
  case frame

  /// The scope of what is computed from values of both scopes.
  func joined(with other: Scope) -> Scope { self == other ? self : .frame }
}

/// How a value is stored where it enters or leaves a graph.
public enum Storage: Sendable {
  /// float32, whatever the device computes in: latents, pictures.
  case exact
  /// The device's element type for activations: what one graph hands to another.
  case activation
}

/// One frame's tensor in a graph: an image [height, width, channels], a sequence [tokens, channels]
/// or a vector [channels].
///
/// An image is also the sequence of its pixels: operations on sequences take images as they are.
public struct Value: Hashable, Sendable {
  let index: Int
  public let shape: Shape
  public let scope: Scope
}

/// A factor that is given at each run, not when the graph is built.
public struct Parameter: Hashable, Sendable {
  let index: Int
}
