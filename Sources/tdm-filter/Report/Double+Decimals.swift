extension Double {
  /// With so many digits behind the point, without any library's help.
  func formatted(decimals: Int) -> String {
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let units = (self * scale).rounded()
    guard units.isFinite, abs(units) < 1e15 else { return "\(self)" }
    let digits = String(Int64(abs(units)))
    let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
    let sign = units < 0 ? "-" : ""
    return decimals == 0
      ? sign + padded : sign + padded.dropLast(decimals) + "." + padded.suffix(decimals)
  }
}
