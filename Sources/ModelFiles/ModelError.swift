import TensorCore

/// Why a model cannot be used, in one line: what, where, expected, found, what to do.
public struct ModelError: Error, Equatable, CustomStringConvertible {
  public let description: String
  /// Whether nothing is wrong with the model: there was no memory for it.
  public private(set) var isOutOfMemory = false

  /// Text from files (names of tensors, of keys) may hold anything: what would break the line or
  /// flood the terminal is replaced.
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

  /// For what a file's bytes could not be had.
  public init(_ error: StorageError) {
    self.init(error.description)
    if case .outOfMemory = error { isOutOfMemory = true }
  }

  private static let longest = 1000
}
