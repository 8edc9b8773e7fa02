import Synchronization
import TensorCore

/// One picture in memory, byte for byte as the stream has it, and what its stream said about it.
///
/// Whoever holds a frame may read it; only its maker writes it, before handing it on.
public final class Frame: @unchecked Sendable {
  // Sendable: the bytes are written by the maker alone, before anyone else has the frame.
  public let layout: FrameLayout
  /// Counted from 0 through the whole stream.
  public let number: Int
  /// What stood behind `FRAME` in its line, without the first space; empty where nothing did.
  public let parameters: String
  /// Whether it is the first one behind a stream header: what came before is another clip.
  public let beginsSequence: Bool

  private let memory: AlignedMemory
  private let pool: FramePool

  fileprivate init(
    layout: FrameLayout, number: Int, parameters: String, beginsSequence: Bool,
    memory: AlignedMemory, pool: FramePool
  ) {
    self.layout = layout
    self.number = number
    self.parameters = parameters
    self.beginsSequence = beginsSequence
    self.memory = memory
    self.pool = pool
  }

  deinit { pool.takeBack(memory) }

  public func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R
  {
    try body(UnsafeRawBufferPointer(start: memory.pointer, count: layout.byteCount))
  }

  /// For the frame's maker, before it is handed on.
  public func withMutableBytes<R, E: Error>(
    _ body: (UnsafeMutableRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    try body(UnsafeMutableRawBufferPointer(start: memory.pointer, count: layout.byteCount))
  }
}

/// Makes frames of one layout, and uses the memory of those that are gone again: there is never
/// more of it than frames were alive at once, and after ``reviewPeriod`` frames or two of them no
/// more than they had alive at once.
public final class FramePool: Sendable {
  /// Frames after which memory that none of them took is given back: a burst of late frames, or
  /// options that held more of them, may be over.
  static let reviewPeriod = 256

  private struct Spare: Sendable {
    var memory: [AlignedMemory] = []
    /// Since the last review: the fewest that there were, and the frames made.
    var fewest = 0
    var framesMade = 0

    mutating func take() -> AlignedMemory? {
      let taken = memory.popLast()
      fewest = min(fewest, memory.count)
      framesMade += 1
      if framesMade == FramePool.reviewPeriod {
        memory.removeFirst(fewest)
        fewest = memory.count
        framesMade = 0
      }
      return taken
    }
  }

  public let layout: FrameLayout
  private let spare = Mutex(Spare())

  public init(_ layout: FrameLayout) { self.layout = layout }

  /// Pieces of memory that no frame has.
  var spareCount: Int { spare.withLock { $0.memory.count } }

  /// A frame whose bytes are yet to be written.
  /// - Throws: ``VideoError`` of kind `fault` where there is no memory for it.
  public func frame(
    number: Int, parameters: String = "", beginsSequence: Bool = false
  ) throws(VideoError) -> Frame {
    let memory: AlignedMemory
    if let spare = spare.withLock({ $0.take() }) {
      memory = spare
    } else {
      do throws(OutOfMemory) {
        memory = try AlignedMemory(checking: layout.byteCount, for: "a frame of \(layout.size)")
      } catch { throw VideoError(error) }
    }
    return Frame(
      layout: layout, number: number, parameters: parameters, beginsSequence: beginsSequence,
      memory: memory, pool: self)
  }

  fileprivate func takeBack(_ memory: AlignedMemory) { spare.withLock { $0.memory.append(memory) } }
}
