import StrictJSON

extension JSON {
  /// To three decimals unless more are asked for: milliseconds are enough for messages.
  package static func rounded(_ value: Double, decimals: Int = 3) -> JSON {
    var unit = 1.0
    for _ in 0..<decimals { unit *= 10 }
    return .number(value.isFinite ? (value * unit).rounded() / unit : 0)
  }
}
