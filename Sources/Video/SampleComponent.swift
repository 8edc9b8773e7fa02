import CAVUtil

/// Where the samples of one component lie, and how many bits they have.
struct SampleComponent: Sendable, Equatable {
  enum Access: Sendable, Equatable {
    /// A byte a sample.
    case bytes
    /// 16 bits a sample, of which `shift` lie below it.
    case words(shift: Int, bigEndian: Bool)
    /// An IEEE single a sample, 1 for white, one behind the other.
    case floats(bigEndian: Bool)
    /// Several samples share a word, or a sample is not whole bytes: libavutil takes them apart.
    case described
  }

  let index: Int
  let plane: Int
  /// Bytes from one sample to the next, and to the first one in a line (bits in a bitstream).
  let step: Int
  let offset: Int
  let depth: Int
  let access: Access
  let inverted: Bool

  init(
    index: Int, _ component: AVComponentDescriptor, sharing all: ArraySlice<AVComponentDescriptor>,
    bigEndian: Bool, bitstream: Bool, float: Bool, inverted: Bool
  ) {
    self.index = index
    plane = Int(component.plane)
    step = Int(component.step)
    offset = Int(component.offset)
    let depth = Int(component.depth)
    self.depth = depth
    self.inverted = inverted
    let shift = Int(component.shift)
    let isAlone = !all.enumerated().contains { other, description in
      other != index && description.plane == component.plane
        && abs(Int(description.offset) - Int(component.offset)) < (depth > 8 ? 2 : 1)
    }
    access =
      if float {
        .floats(bigEndian: bigEndian)
      } else if bitstream || !isAlone || depth < 8 {
        .described
      } else if depth == 8, shift == 0 {
        .bytes
      } else if depth > 8, depth + shift <= 16, component.step % 2 == 0, component.offset % 2 == 0 {
        .words(shift: shift, bigEndian: bigEndian)
      } else {
        .described
      }
  }

  /// Whether samples in floating point are those that are read and written: singles, one behind the
  /// other. Newer versions of libavutil have halves (`gbrpf16le`), too.
  static func areSingles(_ components: ArraySlice<AVComponentDescriptor>) -> Bool {
    components.allSatisfy { $0.depth == 32 && $0.step == 4 && $0.shift == 0 }
  }

  /// The largest code, which floating point has at 1.
  var largest: Int {
    if case .floats = access { return 1 }
    return (1 << depth) - 1
  }
}
