import Kernels
import ModelFiles
import TensorCore

/// Takes clips to latents and back, on a device, for frames of one size.
public final class VideoCoders {
  /// Of all chunks but the first; diffusers' numbers.
  static let framesAtATime = 8
  private static let latentFramesAtATime = 2

  /// Of a latent frame, [height / factor, width / factor, latentChannels].
  public let latentFrameShape: Shape
  /// Frames of the longest chunk that a clip is cut into: the first one, with all that can be left
  /// over.
  public let longestChunk: Int
  private let ratio: Int
  private let encoder, decoder: ChunkedNetwork

  /// - Parameters:
  ///   - height: of the frames, a multiple of the autoencoder's factor.
  ///   - width: likewise.
  public init(
    _ autoencoder: AutoencoderKLCogVideoX, height: Int, width: Int, on device: any Device
  ) {
    let config = autoencoder.config
    precondition(height % config.factor == 0 && width % config.factor == 0)
    latentFrameShape = [height / config.factor, width / config.factor, config.latentChannels]
    ratio = config.temporalCompressionRatio
    // Of less than two chunks, as many as can be encoded.
    longestChunk = (2 * Self.framesAtATime - 2) / ratio * ratio + 1
    encoder = ChunkedNetwork(
      "encode", frame: [height, width, 3], on: device, autoencoder.encode)
    decoder = ChunkedNetwork("decode", frame: latentFrameShape, on: device, autoencoder.decode)
  }

  /// Frames with which a clip of so many is encoded: 4k + 1.
  public func paddedCount(_ frames: Int) -> Int { (frames - 1).roundedUp(to: ratio) + 1 }

  /// Frames of a clip's latent.
  public func latentCount(_ frames: Int) -> Int { (paddedCount(frames) - 1) / ratio + 1 }

  /// Plans for clips of up to so many frames: for every length of chunk that they are cut into.
  /// - Returns: bytes that chunks are worked on in, which networks of a device share, and bytes
  ///   that stay in between while a clip goes either way.
  public func prepare(frames: Int) throws -> (workspace: Int, kept: Int) {
    // The lengths that a first chunk can have, each as a clip of its own; the others are in the
    // longest clip.
    let firsts = Array(stride(from: 1, through: longestChunk, by: ratio))
    let counts = Set((firsts + [frames]).map { min($0, frames) })
    let down = try encoder.prepare(
      counts.map { ClipChunks(count: paddedCount($0), length: Self.framesAtATime) })
    let up = try decoder.prepare(
      counts.map { ClipChunks(count: latentCount($0), length: Self.latentFramesAtATime) })
    return (
      max(down.workspace, up.workspace), max(down.kept, up.kept) + down.tensors + up.tensors
    )
  }

  /// - Parameters:
  ///   - frames: of the clip, 1 or more.
  ///   - pictures: gives those of a range of the padded clip: [count, height, width, 3], RGB in
  ///     [-1, 1].
  ///   - step: called behind every chunk.
  /// - Returns: the posterior's mean times the scaling factor, [latentCount, h, w, latentChannels].
  public func encode(
    frames: Int, _ pictures: (Range<Int>) -> [Float], step: () -> Void
  ) throws -> [Float] {
    defer { encoder.forget() }
    var latent: [Float] = []
    let chunks = ClipChunks(count: paddedCount(frames), length: Self.framesAtATime)
    for range in chunks.ranges {
      latent += try encoder.run(
        pictures(range), frames: range.count, isFirst: range.lowerBound == 0)
      step()
    }
    return latent
  }

  /// - Parameters:
  ///   - latent: [count, h, w, latentChannels], as ``encode(frames:_:step:)`` gives it.
  ///   - pictures: takes the number of the first of some frames, and the frames [n, height, width,
  ///     3], RGB in about [-1, 1]. An even number of latent frames gives three more than were
  ///     encoded.
  public func decode(
    _ latent: [Float], _ pictures: (_ first: Int, [Float]) throws -> Void
  ) throws {
    defer { decoder.forget() }
    let frame = latentFrameShape.count
    var first = 0
    let chunks = ClipChunks(count: latent.count / frame, length: Self.latentFramesAtATime)
    for range in chunks.ranges {
      let part = Array(latent[range.lowerBound * frame..<range.upperBound * frame])
      let decoded = try decoder.run(part, frames: range.count, isFirst: range.lowerBound == 0)
      try pictures(first, decoded)
      first += range.count % 2 == 1 ? ratio * range.count - (ratio - 1) : ratio * range.count
    }
  }
}
