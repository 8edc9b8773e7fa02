extension Int {
  /// The next multiple of `unit`, or the number itself where it is one. For 0 and more.
  package func roundedUp(to unit: Int) -> Int { (self + unit - 1) / unit * unit }
}
