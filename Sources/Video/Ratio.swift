/// A fraction as streams write it: a frame rate (frames a second) or a pixel's aspect (width over
/// height).
public struct Ratio: Hashable, Sendable, CustomStringConvertible {
  /// 1 to Int32's largest.
  public let numerator: Int
  public let denominator: Int

  /// - Precondition: both are 1 or more.
  public init(_ numerator: Int, _ denominator: Int) {
    precondition(numerator > 0 && denominator > 0, "\(numerator)/\(denominator) is no ratio")
    self.numerator = numerator
    self.denominator = denominator
  }

  /// Reads `N/D`, `N:D` or `N`, as in `30000/1001` or `25`.
  /// - Throws: ``VideoError`` of kind `usage`.
  public init(parsing text: String) throws(VideoError) {
    let parts = text.split(omittingEmptySubsequences: false) { $0 == "/" || $0 == ":" }
    guard parts.count <= 2, let numerator = parts[0].wholeNumber,
      let denominator = parts.count == 2 ? parts[1].wholeNumber : 1, numerator > 0, denominator > 0
    else {
      throw VideoError(
        .usage, "rate \"\(text)\": expected N/D or N above 0; write it as in 30000/1001 or 25")
    }
    self.init(numerator, denominator)
  }

  public var value: Double { Double(numerator) / Double(denominator) }

  /// The same value in lowest terms.
  public var reduced: Ratio {
    var (a, b) = (numerator, denominator)
    while b != 0 { (a, b) = (b, a % b) }
    return Ratio(numerator / a, denominator / a)
  }

  public var description: String { "\(numerator)/\(denominator)" }
}
