extension StringProtocol {
  /// The number that the text's decimal digits say: no sign, no spaces, at most Int32's largest.
  var wholeNumber: Int? {
    guard !isEmpty, utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = Int32(self) else {
      return nil
    }
    return Int(value)
  }
}
