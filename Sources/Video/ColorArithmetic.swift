/// From codes to R'G'B' on the scale 0...255 and back, in floating point: the constants.
///
/// The arithmetic is our own. libswscale's, measured on constant colours there and back (flags
/// accurate_rnd, full_chroma_int, full_chroma_inp), is right up to 10 bits but loses up to 19 of
/// 65536 codes at 16 bits limited and 21 full, mistakes gray's range on the way to floating point,
/// and blurs colour samples each time; this loses nothing.
/// Reference: ITU-R BT.601-7, BT.709-6, BT.2020-2.
struct ColorArithmetic: Sendable {
  /// R = Y + redFromCr Cr, B = Y + blueFromCb Cb, G = Y - greenFromCb Cb - greenFromCr Cr.
  let redFromCr: Float
  let blueFromCb: Float
  let greenFromCb: Float
  let greenFromCr: Float
  let red: Float
  let green: Float
  let blue: Float

  init(_ matrix: ColorMatrix) {
    red = matrix.red
    blue = matrix.blue
    green = 1 - red - blue
    redFromCr = 2 * (1 - red)
    blueFromCb = 2 * (1 - blue)
    greenFromCb = blueFromCb * blue / green
    greenFromCr = redFromCr * red / green
  }

  /// The code that means 0, and what one code more means on the scale 0...255 (colour differences:
  /// -127.5...127.5).
  static func codes(_ format: StreamFormat, component: SampleComponent) -> (
    zero: Float, scale: Float
  ) {
    let isDifference =
      format.pixelFormat.family == .yuv && (component.index == 1 || component.index == 2)
    // Floating point has its white at 1, of which 8-bit codes are 255ths.
    var unit = Float(1) / 255
    if case .floats = component.access {} else { unit = Float(1 << component.depth) / 256 }
    switch format.effectiveRange {
    case .full:
      return (isDifference ? 128 * unit : 0, 255 / Float(component.largest))
    case .limited:
      return isDifference ? (128 * unit, 255 / (224 * unit)) : (16 * unit, 255 / (219 * unit))
    }
  }
}

/// To 0...255; what is no number becomes 0.
@inline(__always)
func clamped(_ value: Float) -> Float { value > 0 ? (value < 255 ? value : 255) : 0 }
