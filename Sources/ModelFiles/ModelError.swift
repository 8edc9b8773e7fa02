/// Why a model cannot be used, in one line: what, where, expected, found, what to do.
public struct ModelError: Error, Equatable, CustomStringConvertible {
  public let description: String

  /// Text from files (names of tensors, of keys) may hold anything: what would break the line or flood the terminal is
  /// replaced.
  public init(_ description: String) {
    var line = ""
    for scalar in description.unicodeScalars.prefix(Self.longest) {
      let breaks =
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator, .format: true
        default: false
        }
      line.unicodeScalars.append(breaks ? "\u{FFFD}" : scalar)
    }
    if description.unicodeScalars.count > Self.longest { line += "…" }
    self.description = line
  }

  private static let longest = 1000
}
