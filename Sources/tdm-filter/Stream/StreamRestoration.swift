import Kernels
import ModelFiles
import Restoration
import Video

/// Restores the frames of one stream: from the stream's format to the model's RGB, through the ``Restorer``, and back.
///
/// One thread, the device's.
final class StreamRestoration {
  /// The input's format; where the task enlarges, with the larger size.
  let outputFormat: StreamFormat

  private let decoder: FrameDecoder
  private let encoder: FrameEncoder
  private let enlargement: BicubicEnlargement?
  private let restorer: Restorer
  /// Frames that have come and not yet left, oldest first: what goes out takes number, parameters and alpha from them.
  private var held: [Frame] = []
  private var decoded: [Float] = []
  private var enlarged: [Float] = []

  /// - Throws: ``ModelError``, ``OptionError`` or ``KernelError`` where the model cannot be run so; ``VideoError`` where
  ///   the enlarged picture would be too large.
  init(_ format: StreamFormat, model: ModelFolder, options: RestorationOptions, device: any Device)
    throws
  {
    let factor = options.task.enlargement
    outputFormat = try format.enlarged(by: factor)
    decoder = FrameDecoder(format)
    encoder = FrameEncoder(outputFormat, from: format)
    enlargement =
      factor == 1
      ? nil
      : BicubicEnlargement(width: format.size.width, height: format.size.height, factor: factor)
    restorer = try Restorer(
      model: model, options: options, width: outputFormat.size.width,
      height: outputFormat.size.height,
      device: device)
  }

  /// Takes the next frame, and gives those that are done.
  func restore(_ frame: Frame, emit: (Frame) -> Void) throws {
    // Another clip follows in the same stream: its frames read nothing of this one's.
    if frame.beginsSequence { try finish(emit: emit) }
    held.append(frame)
    decoder.decode(frame, into: &decoded)
    enlargement?(decoded, into: &enlarged)
    try restorer.push(enlargement == nil ? decoded : enlarged) { encode($0, emit) }
  }

  /// Gives the frames that are left.
  func finish(emit: (Frame) -> Void) throws {
    try restorer.finish { encode($0, emit) }
  }

  private func encode(_ rgb: [Float], _ emit: (Frame) -> Void) {
    emit(encoder.encode(rgb, from: held.removeFirst()))
  }
}
