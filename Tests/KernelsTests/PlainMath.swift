import Glibc

extension Float {
  static func pow(_ base: Float, _ exponent: Float) -> Float { powf(base, exponent) }
  static func sin(_ x: Float) -> Float { sinf(x) }
  static func cos(_ x: Float) -> Float { cosf(x) }
}
