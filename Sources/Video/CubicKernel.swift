/// Keys' cubic convolution with a = -0.5, which is Catmull and Rom's spline: it interpolates, and
/// reproduces quadratic functions.
///
/// Reference: Keys, Cubic convolution interpolation for digital image processing, 1981.
enum CubicKernel {
  /// The four samples around `place` (a sample's index is its centre's place) and their weights.
  static func taps(at place: Double) -> [(position: Int, weight: Double)] {
    let before = place.rounded(.down)
    let t = place - before
    let first = Int(before) - 1
    return [
      (first, ((-0.5 * t + 1) * t - 0.5) * t),
      (first + 1, (1.5 * t - 2.5) * t * t + 1),
      (first + 2, ((-1.5 * t + 2) * t + 0.5) * t),
      (first + 3, (0.5 * t - 0.5) * t * t),
    ]
  }
}
