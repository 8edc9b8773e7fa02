/// What enlarged pictures get back of what their colours have beyond RGB's range: all of it,
/// enlarged as the picture was. Super-resolution takes hardly any noise, so none of it is taken for
/// that.
public struct EnlargedExcess: ExcessReturn {
  /// Beyond what any matrix makes of any codes.
  private static let limits: ClosedRange<Float> = -1024...1024

  private let enlargement: BicubicEnlargement
  /// [height, width, 3], and as enlarged.
  private var excess, enlarged: [Float]

  /// - Parameters:
  ///   - size: of the pictures as they come.
  ///   - factor: 1 or more.
  ///   - threads: that a picture is worked on by.
  public init(_ size: PictureSize, factor: Int, threads: Int = 1) {
    enlargement = BicubicEnlargement(
      width: size.width, height: size.height, factor: factor, threads: threads)
    excess = Array(repeating: 0, count: 3 * size.pixelCount)
    enlarged = Array(repeating: 0, count: excess.count * factor * factor)
  }

  public var bufferByteCount: Int { (excess.count + enlarged.count) * MemoryLayout<Float>.size }

  public mutating func giveBack(_ source: [Float], to restored: inout [Float]) {
    precondition(source.count == excess.count && restored.count == enlarged.count)
    var isBeyond = false
    for index in source.indices {
      excess[index] = source[index] - clamped(source[index])
      if excess[index] != 0 { isBeyond = true }
    }
    RangeExcess.cut(&restored)
    guard isBeyond else { return }
    enlargement(excess, limits: Self.limits, into: &enlarged)
    for index in restored.indices { restored[index] += enlarged[index] }
  }
}
