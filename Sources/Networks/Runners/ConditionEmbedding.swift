import Kernels
import ModelFiles
import TensorCore

/// Prepares degraded frames of one size for a ControlNet, on a device: once a frame, for all steps.
public final class ConditionEmbedding {
  /// [height / factor, width / factor, channels]
  public var shape: Shape { network.outputShape }
  /// Bytes that it works in; networks of a device share them.
  public var workspaceByteCount: Int { network.workspaceByteCount }
  /// Whether the ControlNet sees a second picture of each frame beside the one that the U-Net
  /// restores.
  public let seesSecondPicture: Bool
  private let network: ImageNetwork

  /// Lets go of the tensors of the last run.
  public func releaseTensors() { network.releaseTensors() }

  /// - Parameters:
  ///   - height: of the picture, a multiple of the embedding's factor.
  ///   - width: likewise.
  public init(
    _ model: ControlNetModel, height: Int, width: Int, on device: any Device
  ) throws {
    seesSecondPicture = model.conditioningEmbedding.seesSecondPicture
    network = try ImageNetwork(
      name: "condition", input: [height, width, 3], hasSecond: seesSecondPicture,
      output: .activation, on: device
    ) { model.conditioningEmbedding($0, second: $1, in: $2) }
  }

  /// - Parameters:
  ///   - picture: the degraded frame, [height, width, 3], RGB in [-1, 1], exact: the autoencoder's
  ///     input serves.
  ///   - second: likewise, its second picture: where ``seesSecondPicture``, and nowhere else.
  ///   - condition: takes ``shape``, in the activations' storage.
  public func embed(
    _ picture: any DeviceTensor, second: (any DeviceTensor)? = nil,
    into condition: any DeviceTensor
  ) throws {
    try network.run(picture, second, into: condition)
  }
}
