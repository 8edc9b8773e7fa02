import Kernels
import ModelFiles
import TensorCore

/// Takes pictures of one size to latents on a device.
public final class LatentEncoder {
  /// [height / factor, width / factor, latentChannels]
  public var latentShape: Shape { network.outputShape }
  /// Bytes that it works in; networks of a device share them.
  public var workspaceByteCount: Int { network.workspaceByteCount }
  private let network: ImageNetwork

  /// Lets go of the tensors of the last run.
  public func releaseTensors() { network.releaseTensors() }

  /// - Parameters:
  ///   - height: of the picture, a multiple of the autoencoder's factor.
  ///   - width: likewise.
  public init(
    _ autoencoder: any Autoencoder, height: Int, width: Int, on device: any Device
  ) throws {
    precondition(height % autoencoder.factor == 0 && width % autoencoder.factor == 0)
    network = try ImageNetwork(
      name: "encode", input: [height, width, 3], output: .exact, on: device
    ) { picture, _, graph in autoencoder.encode(picture, in: graph) }
  }

  /// - Parameters:
  ///   - picture: [height, width, 3], RGB in [-1, 1], exact.
  ///   - latent: takes the posterior's mean x scaling factor, ``latentShape``, exact.
  public func encode(_ picture: any DeviceTensor, into latent: any DeviceTensor) throws {
    try network.run(picture, into: latent)
  }
}

/// Takes latents of one size to pictures on a device.
public final class LatentDecoder {
  /// [height, width, 3]
  public var pictureShape: Shape { network.outputShape }
  /// Bytes that it works in; networks of a device share them.
  public var workspaceByteCount: Int { network.workspaceByteCount }
  private let network: ImageNetwork

  /// Lets go of the tensors of the last run.
  public func releaseTensors() { network.releaseTensors() }

  /// - Parameters:
  ///   - height: of the picture, a multiple of the autoencoder's factor.
  ///   - width: likewise.
  public init(
    _ autoencoder: any Autoencoder, height: Int, width: Int, on device: any Device
  ) throws {
    let factor = autoencoder.factor
    precondition(height % factor == 0 && width % factor == 0)
    network = try ImageNetwork(
      name: "decode", input: [height / factor, width / factor, autoencoder.latentChannels],
      output: .exact, on: device
    ) { latent, _, graph in autoencoder.decode(latent, in: graph) }
  }

  /// - Parameters:
  ///   - latent: as ``LatentEncoder`` gives it, exact.
  ///   - picture: takes ``pictureShape``, RGB in about [-1, 1], not clamped, exact.
  public func decode(_ latent: any DeviceTensor, into picture: any DeviceTensor) throws {
    try network.run(latent, into: picture)
  }
}
