import TensorCore

/// The element type that activations and weights are kept in. Sums are always float32.
public enum Precision: String, Sendable, CaseIterable {
  case f32, bf16

  /// Of an element.
  public var byteCount: Int { self == .bf16 ? 2 : 4 }
}

/// What runs graphs. The only door from the networks to a processor: another kind of processor is
/// another `Device`.
///
/// A device and all that comes from it are used by one thread at a time.
public protocol Device: AnyObject {
  var precision: Precision { get }

  /// Of the processor: how many compute.
  var threadCount: Int { get }

  /// Memory for a tensor that outlives a run, all zero.
  func makeTensor(_ shape: Shape, storage: Storage) -> any DeviceTensor

  /// Bytes of the weights that plans of this device share.
  var weightByteCount: Int { get }

  /// Lets go of weights that no plan uses any more.
  func discardUnusedWeights()

  /// Lets go of the memory that runs work in, which is as large as the largest of them needed; the
  /// next makes its own.
  func releaseWorkspace()

  /// Makes everything that running the graph needs: weights reordered (shared with other plans of
  /// this device), primitives, one layout of all activations. Afterwards a run allocates nothing.
  /// - Throws: ``KernelError`` where the device cannot run an operation.
  func plan(_ graph: Graph) throws(KernelError) -> any Plan

  /// out = a · x + b · y, all exact and alike in shape. `out` may be `x` or `y`.
  func combine(
    into out: any DeviceTensor, _ a: Float, _ x: any DeviceTensor, _ b: Float,
    _ y: any DeviceTensor)

  /// For pictures of one size, in pixels.
  func makeMotionFusion(height: Int, width: Int) -> any MotionFusion

  /// Bytes that such a fusion takes.
  /// - Parameters:
  ///   - pictures: that are kept.
  ///   - others: that one of them is fused with.
  ///   - histories: that are kept.
  func motionFusionByteCount(
    height: Int, width: Int, pictures: Int, others: Int, histories: Int
  ) -> Int

  /// Between pictures of one size, in pixels, and such as are no larger.
  func makeGuidedTransfer(
    size: (height: Int, width: Int), reduced: (height: Int, width: Int)
  ) -> any GuidedTransfer

  /// Bytes that such a transfer takes.
  func guidedTransferByteCount(
    size: (height: Int, width: Int), reduced: (height: Int, width: Int)
  ) -> Int
}

/// A tensor that a device keeps between runs.
public protocol DeviceTensor: AnyObject {
  var shape: Shape { get }
  var storage: Storage { get }
  /// Takes the elements, which are as many as `shape` says.
  func load(_ elements: [Float])
  /// Gives the elements to an array that has as many as `shape` says.
  func store(into elements: inout [Float])
}

/// What a graph computed from the prompt, kept for the runs that follow.
public protocol PreparedContext: AnyObject {}

/// A graph made ready to run.
///
/// Inputs and outputs stay bound, scalars and parameters stay set, until they are given anew.
public protocol Plan: AnyObject {
  /// Bytes that a run of so many frames works in. Plans of a device share them: only one runs at a
  /// time.
  func workspaceByteCount(frames: Int) -> Int

  /// Bytes of what ``makeFeatureCache(passes:slots:)`` makes.
  func featureByteCount(passes: Int, slots: Int) -> Int

  /// Computes what depends on the prompt only.
  /// - Parameter values: a tensor for each input of the prompt's scope.
  func prepareContext(_ values: [Value: Tensor]) throws(KernelError) -> any PreparedContext

  /// Has `value`, an input or output, read from or written to `tensor` for one frame of the runs
  /// that follow.
  func bind(_ value: Value, frame: Int, to tensor: any DeviceTensor)

  /// Lets go of every tensor that is bound: what is run next has to be bound anew.
  func unbindAll()

  func set(_ scalar: Value, to number: Float)
  func set(_ parameter: Parameter, to number: Float)

  /// Memory for the features that windows read: `slots` frames in each of `passes` passes.
  /// - Throws: ``KernelError`` where there is not as much.
  func makeFeatureCache(passes: Int, slots: Int) throws(KernelError) -> any FeatureCache

  /// Runs frames side by side and computes the outputs of the first of them.
  /// - Parameters:
  ///   - outputs: how many. Of the other frames only that is computed which the windows of these
  ///     read.
  ///   - window: nil has every frame read itself alone.
  func run(
    frames: Int, outputs: Int, context: (any PreparedContext)?, window: WindowPass?
  ) throws(KernelError)
}

/// The device cannot do what a graph asks for, a library failed, or weights cannot be read. One
/// line.
public struct KernelError: Error, CustomStringConvertible {
  public enum Cause: Sendable {
    case device, outOfMemory
    /// The model's file no longer holds what it held when it was opened.
    case unreadableWeights
  }

  public let cause: Cause
  public let description: String

  public init(_ description: String) {
    cause = .device
    self.description = description
  }

  init(_ error: OutOfMemory) {
    cause = .outOfMemory
    description = error.description
  }

  init(_ error: StorageError) {
    cause = if case .outOfMemory = error { .outOfMemory } else { .unreadableWeights }
    description = error.description
  }
}
