/// How a clip goes through ``AutoencoderKLCogVideoX``: in chunks of a fixed length, the first one
/// longer by what is left over.
struct ClipChunks {
  let ranges: [Range<Int>]

  /// - Parameter length: of a chunk.
  init(count: Int, length: Int) {
    let chunks = max(count / length, 1)
    let rest = count % length
    ranges = (0..<chunks).map { index in
      let start = index == 0 ? 0 : length * index + rest
      return start..<min(length * (index + 1) + rest, count)
    }
  }
}
