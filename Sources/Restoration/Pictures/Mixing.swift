import DequeModule

/// Frames as they came, kept until they are mixed with what they were restored to.
///
/// Frames leave in the order in which they came, each once.
struct Mixing {
  private let amount: Double
  /// Oldest first.
  private var inputs: Deque<[Float]> = []
  private var free: [[Float]] = []

  /// - Parameter amount: see ``RestorationOptions/amount``.
  /// - Returns: nil where there is nothing to mix.
  init?(amount: Double) {
    guard amount != 1 else { return nil }
    self.amount = amount
  }

  /// Copies a frame as it came, whose memory stays its caller's.
  mutating func take(_ rgb: [Float]) {
    var input = free.popLast() ?? []
    input.removeAll(keepingCapacity: true)
    input.append(contentsOf: rgb)
    inputs.append(input)
  }

  /// - Parameter frame: the oldest of those that came, restored; changed in place.
  mutating func apply(to frame: inout [Float]) {
    let input = inputs.removeFirst()
    Self.mix(&frame, with: input, amount: amount)
    free.append(input)
  }

  /// Keeps an amount of what was changed.
  /// - Parameters:
  ///   - frame: restored; changed in place.
  ///   - input: the frame as it came.
  static func mix(_ frame: inout [Float], with input: [Float], amount: Double) {
    if amount == 1 { return }
    let amount = Float(amount)
    for index in frame.indices {
      frame[index] = input[index] + amount * (frame[index] - input[index])
    }
  }
}
