extension String {
  /// In quotes and cut to a length that leaves room for the rest of an error.
  package var quoted: String { count > 120 ? "\"\(prefix(117))...\"" : "\"\(self)\"" }
}
