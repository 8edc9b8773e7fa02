import Foundation

@testable import tdm_filter

extension TDMFilter {
  /// The long options at the beginnings of the help's lines.
  static var longOptions: Set<String> {
    var options: Set<String> = []
    for line in helpMessage().split(separator: "\n") where line.hasPrefix("  -") {
      for word in line.split(separator: " ") where word.hasPrefix("--") {
        options.insert(word.trimmingCharacters(in: CharacterSet(charactersIn: ",")))
        break
      }
    }
    return options
  }
}
