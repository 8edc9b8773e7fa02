import Kernels
import ModelFiles
import TensorCore

/// How a clip goes through ``AutoencoderKLCogVideoX``: in chunks of a fixed length, the first one longer by what is left over.
struct ClipChunks {
  let ranges: [Range<Int>]

  /// - Parameter length: of a chunk.
  init(count: Int, length: Int) {
    let chunks = max(count / length, 1)
    let rest = count % length
    ranges = (0..<chunks).map { index in
      let start = index == 0 ? 0 : length * index + rest
      return start..<min(length * (index + 1) + rest, count)
    }
  }
}

/// A network that takes a clip chunk by chunk, planned for each length of a chunk.
private final class ChunkedNetwork {
  private struct Key: Hashable {
    let frames: Int
    let isFirst: Bool
  }

  private final class Planned {
    let plan: any Plan
    let input, output: Value
    let places: [CausalPast.Place]
    let inputTensor, outputTensor: any DeviceTensor

    init(
      _ name: String, _ shape: Shape, isFirst: Bool, on device: any Device,
      _ describe: (Value, CausalPast, Graph) -> Value
    ) throws {
      let graph = Graph(name: name)
      let past = CausalPast(isFirstChunk: isFirst)
      input = graph.input(shape)
      output = describe(input, past, graph)
      graph.output(output)
      plan = try device.plan(graph)
      places = past.places
      inputTensor = device.makeTensor(shape, storage: .exact)
      outputTensor = device.makeTensor(output.shape, storage: .exact)
      plan.bind(input, frame: 0, to: inputTensor)
      plan.bind(output, frame: 0, to: outputTensor)
    }
  }

  private let name: String
  /// Of a frame, in.
  private let frameShape: Shape
  private let device: any Device
  private let describe: (Value, CausalPast, Graph) -> Value
  private var planned: [Key: Planned] = [:]
  /// What the convolutions keep of the last chunk.
  private var past: [any DeviceTensor] = []

  init(
    _ name: String, frame: Shape, on device: any Device,
    _ describe: @escaping (Value, CausalPast, Graph) -> Value
  ) {
    self.name = name
    frameShape = frame
    self.device = device
    self.describe = describe
  }

  private func network(_ key: Key) throws -> Planned {
    if let known = planned[key] { return known }
    let made = try Planned(
      name, Shape([key.frames] + frameShape.extents), isFirst: key.isFirst, on: device, describe)
    planned[key] = made
    return made
  }

  /// Plans for clips that are cut so.
  /// - Returns: bytes that a chunk is worked on in, what stays in between, and what is always there.
  func prepare(_ clips: [ClipChunks]) throws -> (workspace: Int, kept: Int, tensors: Int) {
    var workspace = 0
    var kept = 0
    for (index, range) in clips.flatMap({ Array($0.ranges.enumerated()) }) {
      let network = try network(Key(frames: range.count, isFirst: index == 0))
      workspace = max(workspace, network.plan.workspaceByteCount(frames: 1))
      kept = network.places.reduce(0) { $0 + $1.kept.shape.count } * device.precision.byteCount
    }
    let tensors = planned.values.reduce(0) {
      $0 + ($1.inputTensor.shape.count + $1.outputTensor.shape.count) * MemoryLayout<Float>.size
    }
    return (workspace, kept, tensors)
  }

  func run(_ input: [Float], frames: Int, isFirst: Bool) throws -> [Float] {
    let network = try network(Key(frames: frames, isFirst: isFirst))
    if past.isEmpty {
      past = network.places.map { device.makeTensor($0.kept.shape, storage: .activation) }
    }
    for (place, tensor) in zip(network.places, past) {
      // What is read is read before its place is taken by what is kept.
      if let past = place.past { network.plan.bind(past, frame: 0, to: tensor) }
      network.plan.bind(place.kept, frame: 0, to: tensor)
    }
    network.inputTensor.load(input)
    try network.plan.run(frames: 1, outputs: 1, context: nil, window: nil)
    var output = [Float](repeating: 0, count: network.outputTensor.shape.count)
    network.outputTensor.store(into: &output)
    return output
  }

  /// Gives up what was kept for a next chunk.
  func forget() { past = [] }
}

/// Takes clips to latents and back, on a device, for frames of one size.
public final class VideoCoders {
  private static let framesAtATime = 8
  private static let latentFramesAtATime = 2

  /// Of a latent frame, [height / factor, width / factor, latentChannels].
  public let latentFrameShape: Shape
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
    encoder = ChunkedNetwork(
      "encode", frame: [height, width, 3], on: device, autoencoder.encode)
    decoder = ChunkedNetwork("decode", frame: latentFrameShape, on: device, autoencoder.decode)
  }

  /// Frames with which a clip of so many is encoded: 4k + 1.
  public func paddedCount(_ frames: Int) -> Int { (frames - 1).roundedUp(to: ratio) + 1 }

  /// Frames of a clip's latent.
  public func latentCount(_ frames: Int) -> Int { (paddedCount(frames) - 1) / ratio + 1 }

  /// Plans for clips of up to so many frames: for every length of chunk that they are cut into.
  /// - Returns: bytes that chunks are worked on in, which networks of a device share, and bytes that stay in between while a clip goes
  ///   either way.
  public func prepare(frames: Int) throws -> (workspace: Int, kept: Int) {
    // What is left over from chunks of 8 frames, and of 2 latent frames, makes these first ones.
    let counts = Set([1, 5, 9, 13, frames].map { min($0, frames) })
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
  ///   - pictures: gives those of a range of the padded clip: [count, height, width, 3], RGB in [-1, 1].
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
  ///   - pictures: takes the number of the first of some frames, and the frames [n, height, width, 3], RGB in about [-1, 1]. An even
  ///     number of latent frames gives three more than were encoded.
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
