import TensorCore

/// Offsets for buffers of which only some are needed at a time.
///
/// Largest first, each at the lowest offset that overlaps no buffer living at the same time.
/// Reference: Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020
/// (greedy by size).
struct ArenaLayout {
  struct Request {
    let byteCount: Int
    /// The first and the last step that touches the buffer.
    let lifetime: ClosedRange<Int>
  }

  private(set) var offsets: [Int]
  private(set) var byteCount = 0

  init(_ requests: [Request]) {
    offsets = Array(repeating: 0, count: requests.count)
    var placed: [(offset: Int, end: Int, lifetime: ClosedRange<Int>)] = []  // by offset
    for index in requests.indices.sorted(by: { requests[$0].byteCount > requests[$1].byteCount }) {
      let request = requests[index]
      let size = request.byteCount.roundedUp(to: AlignedMemory.alignment)
      var offset = 0
      for other in placed where other.lifetime.overlaps(request.lifetime) {
        if offset + size <= other.offset { break }
        offset = max(offset, other.end)
      }
      offsets[index] = offset
      byteCount = max(byteCount, offset + size)
      let place = placed.firstIndex { $0.offset > offset } ?? placed.endIndex
      placed.insert((offset, offset + size, request.lifetime), at: place)
    }
  }
}
