import Kernels
import ModelFiles
import TensorCore

/// Prepares degraded frames of one size for a ControlNet, on a device: once a frame, for all steps.
public final class ConditionEmbedding {
  /// [height / factor, width / factor, channels]
  public var shape: Shape { network.outputShape }
  /// Bytes that it works in; networks of a device share them.
  public var workspaceByteCount: Int { network.workspaceByteCount }
  private let network: ImageNetwork

  /// Lets go of the tensors of the last run.
  public func releaseTensors() { network.releaseTensors() }

  /// - Parameters:
  ///   - height: of the picture, a multiple of the embedding's factor.
  ///   - width: likewise.
  public init(
    _ model: ControlNetModel, height: Int, width: Int, on device: any Device
  ) throws {
    network = try ImageNetwork(
      name: "condition", input: [height, width, 3], output: .activation, on: device
    ) { model.conditioningEmbedding($0, in: $1) }
  }

  /// - Parameters:
  ///   - picture: the degraded frame, [height, width, 3], RGB in [-1, 1], exact: the autoencoder's
  ///     input serves.
  ///   - condition: takes ``shape``, in the activations' storage.
  public func embed(_ picture: any DeviceTensor, into condition: any DeviceTensor) throws {
    try network.run(picture, into: condition)
  }
}
