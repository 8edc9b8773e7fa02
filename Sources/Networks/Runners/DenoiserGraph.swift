import Kernels
import TensorCore

/// The UNet alone, or steered by a ControlNet, planned for latents of one size.
final class DenoiserGraph {
  let plan: any Plan
  let latent, timestep, context, output: Value
  /// nil for a UNet that does not read it.
  let second: Value?
  /// nil for the UNet alone.
  let condition: Value?
  let controlScale: Parameter?

  init(
    _ unet: UNet2DConditionModel, _ controlNet: ControlNetModel?, latentShape: Shape,
    contextShape: Shape, windowInControlNet: Bool, on device: any Device
  ) throws {
    let graph = Graph(name: controlNet == nil ? "unet" : "unet+controlnet")
    latent = graph.input(latentShape)
    // Of both networks: their configurations agree.
    var window = UNetTrunk.window(latent, unet.config.trunk, in: graph)
    second = unet.config.readsSecondPicture ? graph.input(latentShape) : nil
    if let second { window = graph.concatenation(window, second) }
    timestep = graph.stepScalar()
    context = graph.input(contextShape, scope: .context)
    var control: ControlNetModel.Output?
    if let controlNet {
      let condition = graph.input(
        [latentShape[0], latentShape[1], controlNet.config.trunk.blockOutChannels[0]],
        storage: .activation)
      control = controlNet(
        window, condition: condition, timestep: timestep, context: context,
        readsWindow: windowInControlNet, in: graph)
      controlScale = graph.parameter()
      self.condition = condition
    } else {
      condition = nil
      controlScale = nil
    }
    output = unet(
      window, timestep: timestep, context: context, control: control, controlScale: controlScale,
      in: graph)
    graph.output(output)
    plan = try device.plan(graph)
  }
}
