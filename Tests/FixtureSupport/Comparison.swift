import TensorCore

/// How far a whole tensor is from the one expected.
public struct Comparison: CustomStringConvertible, Sendable {
  /// |actual - expected|, the largest. Infinite where a number is missing (NaN) or the shapes
  /// differ.
  public let largestDifference: Float
  /// ‖actual - expected‖ / ‖expected‖
  public let relativeL2: Double
  /// Where the first element lies that differs by more than the tolerance; nil where none does.
  public let firstBad: [Int]?
  public let description: String
}

/// Compares element by element.
/// - Parameter tolerance: how much an element may differ, as a fraction of the expected tensor's
///   largest magnitude.
public func compare(_ actual: Tensor, with expected: Tensor, tolerance: Float) -> Comparison {
  guard actual.shape == expected.shape else {
    return Comparison(
      largestDifference: .infinity, relativeL2: .infinity, firstBad: [],
      description: "shape \(actual.shape), expected \(expected.shape)")
  }
  let limit = tolerance * expected.elements.reduce(0) { max($0, abs($1)) }
  var largest: Float = 0
  var difference = 0.0
  var norm = 0.0
  var bad: Int?
  for (index, (a, e)) in zip(actual.elements, expected.elements).enumerated() {
    let d = a.isFinite ? abs(a - e) : .infinity
    largest = max(largest, d)
    difference += Double(d) * Double(d)
    norm += Double(e) * Double(e)
    if bad == nil, !(d <= limit) { bad = index }
  }
  let relative = difference == 0 ? 0 : (difference / norm).squareRoot()
  let place = bad.map { position(of: $0, in: expected.shape) }
  var text = "largest difference \(largest) (allowed \(limit)), relative L2 \(relative)"
  if let bad, let place {
    text +=
      ", first bad \(place): \(actual.elements[bad]), expected \(expected.elements[bad])"
  }
  return Comparison(
    largestDifference: largest, relativeL2: relative, firstBad: place, description: text)
}

/// How far a clip's bytes are from those expected.
public struct ByteComparison: CustomStringConvertible, Sendable {
  /// The share of samples that differ by 1 at most.
  public let withinOne: Double
  public let largestDifference: Int
  public var description: String {
    "\(withinOne * 100)% within 1, largest difference \(largestDifference)"
  }
}

/// Compares 8-bit samples. Clips of different lengths are infinitely far apart.
public func compare(_ actual: [UInt8], with expected: [UInt8]) -> ByteComparison {
  guard actual.count == expected.count, !expected.isEmpty else {
    return ByteComparison(withinOne: 0, largestDifference: .max)
  }
  let differences = zip(actual, expected).map { abs(Int($0) - Int($1)) }
  return ByteComparison(
    withinOne: Double(differences.count { $0 <= 1 }) / Double(differences.count),
    largestDifference: differences.max() ?? 0)
}

private func position(of index: Int, in shape: Shape) -> [Int] {
  var rest = index
  var place: [Int] = []
  for extent in shape.extents.reversed() {
    place.insert(rest % extent, at: 0)
    rest /= extent
  }
  return place
}
