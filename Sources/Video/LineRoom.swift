/// Has a picture's lines worked on side by side, with room for each thread to work in.
struct LineRoom {
  private let width, threads: Int
  /// [threads, 3, width]
  private var values: [Float]

  /// - Parameters:
  ///   - width: of a line that there is room for.
  ///   - threads: that lines are worked on by.
  init(width: Int, threads: Int) {
    self.width = width
    self.threads = threads
    values = Array(repeating: 0, count: threads * 3 * width)
  }

  /// Of all room.
  var valueCount: Int { values.count }

  /// - Parameters:
  ///   - count: of lines.
  ///   - body: takes a line's place, and room for three lines.
  mutating func forLines(_ count: Int, _ body: (Int, UnsafeMutablePointer<Float>) -> Void) {
    values.withUnsafeMutableBufferPointer { values in
      let values = values.baseAddress!
      forBands(of: count, threads: threads) { band, lines in
        for y in lines { body(y, values + band * 3 * width) }
      }
    }
  }
}
