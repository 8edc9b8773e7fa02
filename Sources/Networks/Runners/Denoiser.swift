import Kernels
import ModelFiles
import TensorCore

/// Predicts what a sampler needs from noisy latents of one size: the UNet, steered by a ControlNet
/// where wanted.
public final class Denoiser {
  /// A prompt's share of the work, done once: for each of the two ways to run, when that is first
  /// needed.
  public final class Context {
    let text: Tensor
    var alone, controlled: (any PreparedContext)?

    init(_ text: Tensor) { self.text = text }
  }

  /// [height, width, channels]
  public let latentShape: Shape
  /// Whether it reads the latents of second pictures.
  public let readsSecondPicture: Bool
  private let alone: DenoiserGraph
  private let controlled: DenoiserGraph?
  private let windowInControlNet: Bool
  private let contextShape: Shape

  /// - Parameters:
  ///   - controlNet: nil for a model without.
  ///   - latentShape: [height, width, channels]
  ///   - tokenCount: of a prompt.
  ///   - windowInControlNet: whether the ControlNet's attention reads the window, too.
  /// - Precondition: the parts fit, ``ModelFiles/ModelFolder/requireFit(withControlNet:)``.
  /// - Throws: `KernelError` where the device cannot run them.
  public init(
    _ unet: UNet2DConditionModel, controlNet: ControlNetModel?, latentShape: Shape,
    tokenCount: Int = 77, windowInControlNet: Bool = false, on device: any Device
  ) throws {
    self.latentShape = latentShape
    readsSecondPicture = unet.config.readsSecondPicture
    self.windowInControlNet = windowInControlNet && controlNet != nil
    contextShape = [tokenCount, unet.contextChannels]
    alone = try DenoiserGraph(
      unet, nil, latentShape: latentShape, contextShape: contextShape, windowInControlNet: false,
      on: device)
    if let controlNet {
      controlled = try DenoiserGraph(
        unet, controlNet, latentShape: latentShape, contextShape: contextShape,
        windowInControlNet: windowInControlNet, on: device)
    } else {
      controlled = nil
    }
  }

  /// Bytes that so many frames side by side work in; networks of a device share them.
  public func workspaceByteCount(frames: Int) -> Int {
    max(
      alone.plan.workspaceByteCount(frames: frames),
      controlled?.plan.workspaceByteCount(frames: frames) ?? 0)
  }

  /// Lets go of the tensors of former runs: each frame's are else held until another frame takes
  /// its place, which with fewer frames side by side none does.
  public func releaseTensors() {
    alone.plan.unbindAll()
    controlled?.plan.unbindAll()
  }

  /// Bytes of what ``makeFeatureCache(passes:slots:)`` makes.
  public func featureByteCount(passes: Int, slots: Int) -> Int {
    windowPlan.featureByteCount(passes: passes, slots: slots)
  }

  /// The plan whose attention reads the window.
  private var windowPlan: any Plan { (windowInControlNet ? controlled! : alone).plan }

  /// - Parameter text: a prompt's features, [tokenCount, contextChannels].
  public func prepare(_ text: Tensor) -> Context { Context(text) }

  /// Memory for the features that windows read: `slots` frames in each of `passes` passes.
  public func makeFeatureCache(passes: Int, slots: Int) throws -> any FeatureCache {
    try windowPlan.makeFeatureCache(passes: passes, slots: slots)
  }

  /// Predicts for frames side by side.
  /// - Parameters:
  ///   - latents: xₜ of each frame, ``latentShape``, exact.
  ///   - second: of each frame, ``latentShape``, exact: the latent, without the autoencoder's
  ///     scaling factor, of its second picture: where ``readsSecondPicture``, and nowhere else.
  ///   - conditions: of each frame, as ``ConditionEmbedding`` gives it; nil: without ControlNet.
  ///   - timestep: 0..<trainStepCount of the noise schedule.
  ///   - context: of this denoiser.
  ///   - controlScale: what the ControlNet's output is multiplied by; at 0 it is not run.
  ///   - window: whose features each frame reads; nil: its own.
  ///   - outputs: take the model's output for the first frames, shaped as the latents; not the
  ///     latents' own memory. Frames without one are there for the others' windows.
  public func predict(
    _ latents: [any DeviceTensor], second: [any DeviceTensor] = [],
    conditions: [any DeviceTensor]? = nil, timestep: Int, context: Context, controlScale: Float = 1,
    window: WindowPass? = nil,
    into outputs: [any DeviceTensor]
  ) throws {
    precondition(latents.count >= outputs.count && !outputs.isEmpty)
    precondition(second.count == (readsSecondPicture ? latents.count : 0))
    let graph: DenoiserGraph
    if let conditions, let controlled, controlScale != 0 {
      precondition(conditions.count == latents.count)
      graph = controlled
      for (frame, condition) in conditions.enumerated() {
        graph.plan.bind(graph.condition!, frame: frame, to: condition)
      }
      graph.plan.set(graph.controlScale!, to: controlScale)
    } else {
      precondition(
        window == nil || !windowInControlNet, "windows in the ControlNet need conditions")
      graph = alone
    }
    for frame in latents.indices {
      graph.plan.bind(graph.latent, frame: frame, to: latents[frame])
      if let value = graph.second { graph.plan.bind(value, frame: frame, to: second[frame]) }
    }
    for frame in outputs.indices {
      graph.plan.bind(graph.output, frame: frame, to: outputs[frame])
    }
    graph.plan.set(graph.timestep, to: Float(timestep))
    try graph.plan.run(
      frames: latents.count, outputs: outputs.count, context: prepared(context, for: graph),
      window: window)
  }

  private func prepared(
    _ context: Context, for graph: DenoiserGraph
  ) throws -> any PreparedContext {
    if let ready = graph === alone ? context.alone : context.controlled { return ready }
    let ready = try graph.plan.prepareContext([graph.context: context.text])
    if graph === alone { context.alone = ready } else { context.controlled = ready }
    return ready
  }
}
