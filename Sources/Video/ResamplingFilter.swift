/// How each of a line's output samples is made of neighbouring input samples: a banded matrix.
///
/// Enlargement, and colour samples' way to full resolution and back, are each two of these: one
/// along the lines, one across them. The line's ends are replicated.
struct ResamplingFilter: Sendable {
  let inputCount: Int
  let outputCount: Int
  /// Input samples that each output sample is made of.
  let tapCount: Int
  /// [outputCount]: the first of them.
  let starts: [Int32]
  /// [outputCount, tapCount]
  let weights: [Float]

  /// - Parameter taps: for each output sample, input positions and their weights; positions beyond
  ///   the ends mean the end's sample.
  init(inputCount: Int, taps: [[(position: Int, weight: Double)]]) {
    let rows = taps.map { row in
      var merged: [Int: Double] = [:]
      for (position, weight) in row where weight != 0 {
        merged[min(max(position, 0), inputCount - 1), default: 0] += weight
      }
      return merged
    }
    let tapCount = rows.map { $0.keys.max()! - $0.keys.min()! + 1 }.max()!
    var weights = [Float](repeating: 0, count: rows.count * tapCount)
    var starts: [Int32] = []
    for (index, row) in rows.enumerated() {
      // Every row has all its taps inside the line, so that none needs a test.
      let start = min(row.keys.min()!, inputCount - tapCount)
      starts.append(Int32(start))
      for (position, weight) in row { weights[index * tapCount + position - start] = Float(weight) }
    }
    self.inputCount = inputCount
    outputCount = rows.count
    self.tapCount = tapCount
    self.starts = starts
    self.weights = weights
  }

  /// Resamples one line of `channels` interleaved values a sample.
  func resampleLine(
    _ input: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, channels: Int = 1
  ) {
    starts.withUnsafeBufferPointer { starts in
      weights.withUnsafeBufferPointer { weights in
        for index in 0..<outputCount {
          let first = input + Int(starts[index]) * channels
          let taps = weights.baseAddress! + index * tapCount
          for channel in 0..<channels {
            var sum: Float = 0
            for tap in 0..<tapCount { sum += taps[tap] * first[tap * channels + channel] }
            output[index * channels + channel] = sum
          }
        }
      }
    }
  }

  /// Makes line `index` of the output out of the input's lines, `lineCount` values each.
  func combineLines(
    _ input: UnsafePointer<Float>, lineCount: Int, at index: Int,
    into output: UnsafeMutablePointer<Float>
  ) {
    let first = input + Int(starts[index]) * lineCount
    for tap in 0..<tapCount {
      let weight = weights[index * tapCount + tap]
      let line = first + tap * lineCount
      if tap == 0 {
        for x in 0..<lineCount { output[x] = weight * line[x] }
      } else if weight != 0 {
        for x in 0..<lineCount { output[x] += weight * line[x] }
      }
    }
  }

  /// This filter, then `next`, as one.
  func followed(by next: ResamplingFilter) -> ResamplingFilter {
    precondition(next.inputCount == outputCount)
    let taps = (0..<next.outputCount).map { index in
      (0..<next.tapCount).flatMap { tap in
        let middle = Int(next.starts[index]) + tap
        let outer = Double(next.weights[index * next.tapCount + tap])
        return (0..<tapCount).map { inner in
          (
            position: Int(starts[middle]) + inner,
            weight: outer * Double(weights[middle * tapCount + inner])
          )
        }
      }
    }
    return ResamplingFilter(inputCount: inputCount, taps: taps)
  }
}
