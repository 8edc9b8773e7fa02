/// Brings the alpha of input frames to output frames: the same codes where the sizes are equal,
/// enlarged bicubically where they are not. The networks never see it.
final class AlphaTransfer {
  private let reader: SampleRows
  private let writer: SampleRows
  private let enlargement: BicubicEnlargement?
  /// [lines, samples a line]: one line where nothing is enlarged, else all.
  private var alpha: [Float]
  private var enlarged: [Float] = []

  /// - Precondition: both have the same pixel format, which has alpha.
  init(from source: FrameLayout, to target: FrameLayout, threads: Int) {
    let component = source.pixelFormat.components.count - 1
    reader = SampleRows(source, component: component, zero: 0, scale: 1)
    writer = SampleRows(target, component: component, zero: 0, scale: 1)
    let isSameSize = source.size == target.size
    alpha = [Float](
      repeating: 0, count: isSameSize ? source.size.width : source.size.pixelCount)
    enlargement =
      isSameSize
      ? nil
      : BicubicEnlargement(
        from: (source.size.width, source.size.height), to: (target.size.width, target.size.height),
        threads: threads)
  }

  /// Values of the pictures that it works in.
  var valueCount: Int {
    alpha.count + (enlargement == nil ? 0 : writer.width * writer.height)
  }

  func transfer(from input: UnsafeRawPointer, to output: UnsafeMutableRawPointer) {
    guard let enlargement else {
      if case .floats = reader.component.access {
        return reader.copy(input, to: output)
      }
      alpha.withUnsafeMutableBufferPointer { line in
        for y in 0..<reader.height {
          reader.read(input, line: y, into: line.baseAddress!)
          writer.write(line.baseAddress!, to: output, line: y)
        }
      }
      return
    }
    alpha.withUnsafeMutableBufferPointer { alpha in
      for y in 0..<reader.height {
        reader.read(input, line: y, into: alpha.baseAddress! + y * reader.width)
      }
    }
    enlargement(
      alpha, channels: 1, limits: 0...Float(reader.component.largest), into: &enlarged)
    enlarged.withUnsafeBufferPointer { enlarged in
      for y in 0..<writer.height {
        writer.write(enlarged.baseAddress! + y * writer.width, to: output, line: y)
      }
    }
  }
}
