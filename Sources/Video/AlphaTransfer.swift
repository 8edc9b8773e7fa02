/// Brings the alpha of input frames to output frames: the same codes where the sizes are equal,
/// enlarged bicubically where they are not. The networks never see it.
struct AlphaTransfer: Sendable {
  private let source: FrameLayout
  private let target: FrameLayout
  private let component: Int
  private let enlargement: BicubicEnlargement?

  /// - Precondition: both have the same pixel format, which has alpha.
  init(from source: FrameLayout, to target: FrameLayout) {
    self.source = source
    self.target = target
    component = source.pixelFormat.components.count - 1
    enlargement =
      source.size == target.size
      ? nil
      : BicubicEnlargement(
        from: (source.size.width, source.size.height), to: (target.size.width, target.size.height))
  }

  func transfer(from input: UnsafeRawPointer, to output: UnsafeMutableRawPointer) {
    guard !source.pixelFormat.components.isEmpty else { return }
    let reader = SampleRows(source, component: component, zero: 0, scale: 1)
    let writer = SampleRows(target, component: component, zero: 0, scale: 1)
    if let enlargement {
      var alpha = [Float](repeating: 0, count: source.size.pixelCount)
      var enlarged: [Float] = []
      alpha.withUnsafeMutableBufferPointer { alpha in
        for y in 0..<reader.height {
          reader.read(input, line: y, into: alpha.baseAddress! + y * reader.width)
        }
      }
      let largest = Float(reader.component.largest)
      enlargement(alpha, channels: 1, limits: 0...largest, into: &enlarged)
      enlarged.withUnsafeBufferPointer { enlarged in
        for y in 0..<writer.height {
          writer.write(enlarged.baseAddress! + y * writer.width, to: output, line: y)
        }
      }
    } else {
      withUnsafeTemporaryAllocation(of: Float.self, capacity: reader.width) { line in
        for y in 0..<reader.height {
          reader.read(input, line: y, into: line.baseAddress!)
          writer.write(line.baseAddress!, to: output, line: y)
        }
      }
    }
  }
}
