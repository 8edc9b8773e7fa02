extension ResamplingFilter {
  /// This filter, changed by as little as has it undo `other`: whatever that was given comes back,
  /// at the line's ends as well.
  ///
  /// Each row of its weights gets the least row *c* with *c U = e - d U*, where *U* are the other's
  /// weights, *d* is the row and *e* the row that is wanted, over `reach` input samples on either
  /// side.
  /// - Precondition: `other` makes this filter's input of as many samples as this one gives, from
  ///   which they can be told.
  func undoing(_ other: ResamplingFilter) -> ResamplingFilter {
    precondition(other.outputCount == inputCount && other.inputCount == outputCount)
    let reach = 10
    return ResamplingFilter(
      inputCount: inputCount,
      taps: (0..<outputCount).map { row in
        let taps = self.taps(row)
        var missing = [row: 1.0]
        for (middle, outer) in taps {
          for (position, weight) in other.taps(middle) {
            missing[position, default: 0] -= outer * weight
          }
        }
        let first = max(0, min(taps[0].position + tapCount / 2 - reach, inputCount - 2 * reach))
        let window = first..<min(first + 2 * reach, inputCount)
        return taps + Self.least(window.map { ($0, other.taps($0)) }, giving: missing)
      })
  }

  /// What row `index` is made of.
  private func taps(_ index: Int) -> [(position: Int, weight: Double)] {
    (0..<tapCount).map { tap in
      (Int(starts[index]) + tap, Double(weights[index * tapCount + tap]))
    }
  }

  /// Weights for `lines`, whose squares sum up to the least of those that make `goal` of them.
  private static func least(
    _ lines: [(position: Int, taps: [(position: Int, weight: Double)])], giving goal: [Int: Double]
  ) -> [(position: Int, weight: Double)] {
    // A weight of 0 may be beside a line's end, where nothing else is.
    let columns = Set(lines.flatMap { $0.taps.filter { $0.weight != 0 }.map(\.position) }).sorted()
    let places = Dictionary(uniqueKeysWithValues: columns.enumerated().map { ($1, $0) })
    let count = columns.count
    let rows = lines.map { line in
      var row = [Double](repeating: 0, count: count)
      for (position, weight) in line.taps where weight != 0 { row[places[position]!] += weight }
      return row
    }
    // By Cholesky's factors of the products of the columns. A column at the window's edge may hang
    // on the others: what little is added has it count for nothing instead.
    let added = 1e-10
    var factor = [Double](repeating: 0, count: count * count)
    for i in 0..<count {
      for j in 0...i {
        var sum = rows.reduce(i == j ? added : 0) { $0 + $1[i] * $1[j] }
        for k in 0..<j { sum -= factor[i * count + k] * factor[j * count + k] }
        factor[i * count + j] = i == j ? sum.squareRoot() : sum / factor[j * count + j]
      }
    }
    var solution = columns.map { goal[$0] ?? 0 }
    for i in 0..<count {
      for k in 0..<i { solution[i] -= factor[i * count + k] * solution[k] }
      solution[i] /= factor[i * count + i]
    }
    for i in (0..<count).reversed() {
      for k in i + 1..<count { solution[i] -= factor[k * count + i] * solution[k] }
      solution[i] /= factor[i * count + i]
    }
    return zip(lines, rows).map { line, row in
      (line.position, zip(row, solution).reduce(0) { $0 + $1.0 * $1.1 })
    }
  }
}
