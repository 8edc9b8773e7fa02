import Kernels
import TensorCore

/// What the pipeline asks of the networks, for frames of one size.
///
/// Pictures are [height, width, 3], of the size of a ``Tiling``'s tiles; the other tensors stay
/// where the device keeps them. One thread.
protocol PipelineNetworks: AnyObject {
  /// [height / factor, width / factor, C]
  var latentShape: Shape { get }
  /// Whether the ControlNet sees a frame as it came beside the frame that the U-Net sees.
  var seesFramesAsTheyCame: Bool { get }
  /// Called after each evaluation of a network.
  var onEvaluation: (() -> Void)? { get set }

  /// - Parameter frames: that are evaluated side by side.
  func memory(sideBySide frames: Int) -> NetworkMemory

  /// Lets go of what was kept for networks that are gone.
  func discardLeftovers()

  /// Lets go of what evaluations worked in and of the tensors that they were given; the next make
  /// their own.
  func releaseMemory()

  /// [height, width, 3]
  func makePicture() -> any DeviceTensor
  func makeLatent() -> any DeviceTensor
  /// For what ``embed(_:came:into:)`` makes.
  func makeCondition() -> any DeviceTensor
  /// Memory for the features that windows read: `slots` frames in each of `passes` passes.
  func makeFeatureCache(passes: Int, slots: Int) throws -> any FeatureCache

  /// For whole frames of this size, in pixels.
  func makeFusion(height: Int, width: Int) -> any MotionFusion
  /// Bytes that it takes with so many pictures, one of which is fused with so many others.
  func fusionByteCount(height: Int, width: Int, pictures: Int, others: Int) -> Int

  /// out = a · x + b · y
  func combine(
    into out: any DeviceTensor, _ a: Float, _ x: any DeviceTensor, _ b: Float, _ y: any DeviceTensor
  )

  /// Computes what depends on the prompt only.
  func prepare(prompt: String) throws -> any PromptContext

  /// A picture, RGB in [-1, 1], to the mean of its latent, times the scaling factor.
  func encode(_ picture: any DeviceTensor, into latent: any DeviceTensor) throws

  /// A latent times the scaling factor to a picture, RGB about [-1, 1].
  func decode(_ latent: any DeviceTensor, into picture: any DeviceTensor) throws

  /// A degraded picture, RGB in [-1, 1], to what the ControlNet adds to its first layer.
  /// - Parameter came: likewise, as it came: where ``seesFramesAsTheyCame``, and nowhere else.
  func embed(
    _ picture: any DeviceTensor, came: (any DeviceTensor)?, into condition: any DeviceTensor
  ) throws

  /// Evaluates the U-Net, and before it the ControlNet unless `controlScale` is 0.
  /// - Parameters:
  ///   - latents: of the frames side by side.
  ///   - conditions: as many, or none where `controlScale` is 0.
  ///   - timestep: training timestep, 0..<trainStepCount of the noise schedule.
  ///   - window: nil has every frame read itself alone.
  ///   - outputs: of the first frames; those without one are there for the others' windows.
  func predict(
    _ latents: [any DeviceTensor], conditions: [any DeviceTensor], timestep: Int,
    context: any PromptContext, controlScale: Float, window: WindowPass?,
    into outputs: [any DeviceTensor]) throws
}

/// What networks computed from a prompt.
protocol PromptContext: AnyObject {}
