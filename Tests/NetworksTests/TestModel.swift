import FixtureSupport
import Kernels
import ModelFiles
import Networks
import TensorCore

/// A fixture's networks on a device, with what they are expected to give.
final class TestModel {
  let folder: ModelFolder
  let golden: [String: Tensor]
  let device: any Device

  init(_ fixture: Fixture, precision: Precision = .f32, threads: Int = 2) throws {
    folder = try ModelFolder(path: fixture.modelFolder())
    golden = try fixture.networks()
    device = try CPUDevice(precision: precision, threads: threads)
  }

  func tensor(_ value: Tensor, storage: Storage = .exact) -> any DeviceTensor {
    let tensor = device.makeTensor(value.shape, storage: storage)
    tensor.load(value.elements)
    return tensor
  }

  func read(_ tensor: any DeviceTensor) -> Tensor {
    var elements = [Float](repeating: 0, count: tensor.shape.count)
    tensor.store(into: &elements)
    return Tensor(tensor.shape, elements)
  }

  /// The degraded frame of the golden data as the ControlNet's embedding gives it.
  func condition() throws -> any DeviceTensor {
    let picture = golden["picture"]!
    let embedding = try ConditionEmbedding(
      ControlNetModel(folder), height: picture.shape[0], width: picture.shape[1], on: device)
    let condition = device.makeTensor(embedding.shape, storage: .activation)
    try embedding.embed(tensor(picture), into: condition)
    return condition
  }

  func denoiser(windowInControlNet: Bool = false) throws -> Denoiser {
    try Denoiser(
      UNet2DConditionModel(folder), controlNet: ControlNetModel(folder),
      latentShape: golden["given"]!.shape, windowInControlNet: windowInControlNet, on: device)
  }

  /// The model's output for the golden latent at the golden timestep.
  func predict(_ denoiser: Denoiser, controlScale: Float) throws -> Tensor {
    let output = device.makeTensor(denoiser.latentShape, storage: .exact)
    try denoiser.predict(
      [tensor(golden["given"]!)], conditions: [condition()],
      timestep: Int(golden["timestep"]!.elements[0]), context: denoiser.prepare(golden["text"]!),
      controlScale: controlScale, into: [output])
    return read(output)
  }
}
