import Kernels
import TensorCore

/// What the pipeline asks of the networks, for frames of one size.
///
/// Pictures are [height, width, 3], of the size of a ``Tiling``'s tiles; the other tensors stay
/// where the device keeps them. One thread.
protocol PipelineNetworks: AnyObject {
  /// [height / factor, width / factor, C]
  var latentShape: Shape { get }
  /// Whether a network sees a second picture of each frame beside the one that is restored: frames
  /// are fused along the motion, and it is shown both, as fused and as they came.
  var seesSecondPicture: Bool { get }
  /// Called after each evaluation of a network.
  var onEvaluation: (() -> Void)? { get set }

  /// - Parameter frames: that are evaluated side by side.
  func memory(sideBySide frames: Int) -> NetworkMemory

  /// Lets go of what was kept for networks that are gone.
  func discardLeftovers()

  /// Those that these were to replace are gone: all weights that are there count.
  func forgetReplaced()

  /// Lets go of what evaluations worked in and of the tensors that they were given; the next make
  /// their own.
  func releaseMemory()

  /// [height, width, 3]
  func makePicture() -> any DeviceTensor
  func makeLatent() -> any DeviceTensor
  /// For what ``guide(by:latent:second:into:)`` makes.
  func makeGuide() -> FrameGuide
  /// Memory for the features that windows read: `slots` frames in each of `passes` passes.
  func makeFeatureCache(passes: Int, slots: Int) throws -> any FeatureCache

  /// For whole frames of this size, in pixels.
  func makeFusion(height: Int, width: Int) -> any MotionFusion
  /// Bytes that it takes with so many pictures, one of which is fused with so many others, and with
  /// so many histories.
  func fusionByteCount(
    height: Int, width: Int, pictures: Int, others: Int, histories: Int
  ) -> Int

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

  /// Computes what a frame is steered by.
  /// - Parameters:
  ///   - picture: the degraded frame, RGB in [-1, 1].
  ///   - latent: of it, as ``encode(_:into:)`` gives it.
  ///   - second: of the frame, where ``seesSecondPicture`` and it is another picture.
  func guide(
    by picture: any DeviceTensor, latent: any DeviceTensor, second: (any DeviceTensor)?,
    into guide: FrameGuide
  ) throws

  /// Evaluates the U-Net, and before it the ControlNet unless `controlScale` is 0.
  /// - Parameters:
  ///   - latents: of the frames side by side.
  ///   - guides: as many.
  ///   - timestep: training timestep, 0..<trainStepCount of the noise schedule.
  ///   - window: nil has every frame read itself alone.
  ///   - outputs: of the first frames; those without one are there for the others' windows.
  func predict(
    _ latents: [any DeviceTensor], guides: [FrameGuide], timestep: Int,
    context: any PromptContext, controlScale: Float, window: WindowPass?,
    into outputs: [any DeviceTensor]) throws
}

/// What a frame, or a tile of it, is steered by in every evaluation of the networks: computed once,
/// when it arrives.
struct FrameGuide {
  /// What the ControlNet adds to its first layer; nil where it is left out.
  let condition: (any DeviceTensor)?
  /// The latent of its second picture; nil where the U-Net does not read it.
  let second: (any DeviceTensor)?
}

/// What networks computed from a prompt.
protocol PromptContext: AnyObject {}
