/// Colour samples' way to the luma samples' resolution, or back.
///
/// Up: cubic interpolation (Catmull and Rom's), at the places where the siting puts the samples.
/// Down: a low-pass that undoes it exactly. Colours that nothing changed come back as they were,
/// however often a clip is filtered; a plain average or decimation would blur or alias them each
/// time. Four to one is two to one, twice.
struct ChromaResampling: Sendable {
  let across: ResamplingFilter
  let down: ResamplingFilter

  /// From colour samples to luma's places. Nil where the format has no colour differences.
  static func up(_ format: StreamFormat) -> ChromaResampling? {
    ChromaResampling(format, up(to:log2:cosited:))
  }

  /// From luma's places to colour samples. Nil where the format has no colour differences.
  static func down(_ format: StreamFormat) -> ChromaResampling? {
    ChromaResampling(format, down(from:log2:cosited:))
  }

  /// - Parameter axis: the filter along one axis with so many luma samples.
  private init?(
    _ format: StreamFormat, _ axis: (_ count: Int, _ log2: Int, _ cosited: Bool) -> ResamplingFilter
  ) {
    guard format.pixelFormat.family == .yuv else { return nil }
    across = axis(
      format.size.width, format.pixelFormat.log2ChromaWidth,
      format.chromaSiting.isHorizontallyCosited)
    down = axis(
      format.size.height, format.pixelFormat.log2ChromaHeight,
      format.chromaSiting.isVerticallyCosited)
  }

  /// To `count` samples, from 2^log2 times fewer, rounded up.
  private static func up(to count: Int, log2: Int, cosited: Bool) -> ResamplingFilter {
    if log2 == 0 { return identity(count) }
    let half = PixelFormat.shared(count, log2: 1)
    let last = doubling(from: half, to: count, cosited: cosited)
    return log2 == 1 ? last : up(to: half, log2: log2 - 1, cosited: cosited).followed(by: last)
  }

  private static func down(from count: Int, log2: Int, cosited: Bool) -> ResamplingFilter {
    if log2 == 0 { return identity(count) }
    let half = PixelFormat.shared(count, log2: 1)
    let first = halving(from: count, to: half, cosited: cosited)
    return log2 == 1
      ? first : first.followed(by: down(from: half, log2: log2 - 1, cosited: cosited))
  }

  private static func identity(_ count: Int) -> ResamplingFilter {
    ResamplingFilter(inputCount: count, taps: (0..<count).map { [($0, 1)] })
  }

  private static func doubling(from half: Int, to count: Int, cosited: Bool) -> ResamplingFilter {
    ResamplingFilter(
      inputCount: half,
      taps: (0..<count).map { index in
        // In the middle of two luma samples, the shared one is a quarter of its own spacing from
        // each.
        let place = cosited ? Double(index) / 2 : Double(index) / 2 - 0.25
        return CubicKernel.taps(at: place)
      })
  }

  private static func halving(from count: Int, to half: Int, cosited: Bool) -> ResamplingFilter {
    // Cosited: Deslauriers and Dubuc's (4, 2) wavelet's low-pass, dual to the interpolation above
    // but at the line's ends. Centred: the eight taps nearest to a dual (their product with the
    // interpolation is the identity within 0.0005), found by least squares.
    let low: [(offset: Int, weight: Double)] =
      cosited
      ? [(-4, 1), (-2, -8), (-1, 16), (0, 46), (1, 16), (2, -8), (4, 1)].map {
        ($0.0, Double($0.1) / 64)
      }
      : [
        (-3, 0.0544), (-2, -0.1412), (-1, 0.0272), (0, 0.5596), (1, 0.5596), (2, 0.0272),
        (3, -0.1412), (4, 0.0544),
      ]
    return ResamplingFilter(
      inputCount: count,
      taps: (0..<half).map { index in low.map { (2 * index + $0.offset, $0.weight) } }
    ).undoing(doubling(from: half, to: count, cosited: cosited))
  }
}
