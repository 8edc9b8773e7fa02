/// How an evaluation's time grows with the number of its tokens: in proportion, and with the
/// square.
struct TokenCost {
  private let linear, square: Double

  /// - Parameters:
  ///   - few: a number of tokens, and the seconds that they took.
  ///   - many: the same of more tokens.
  init(_ few: (tokens: Int, seconds: Double), _ many: (tokens: Int, seconds: Double)) {
    let (n, m) = (Double(few.tokens), Double(many.tokens))
    // Noise in the measurement must not make more tokens cheaper.
    square = max(0, (many.seconds / m - few.seconds / n) / (m - n))
    linear = max(0, many.seconds / m - square * m)
  }

  func seconds(_ tokens: Int) -> Double {
    let n = Double(tokens)
    return linear * n + square * n * n
  }
}
