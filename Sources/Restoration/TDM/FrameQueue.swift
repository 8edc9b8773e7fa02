import Kernels

/// A frame between its arrival and its departure.
final class HeldFrame {
  /// Counted from 0 over the whole stream.
  fileprivate(set) var number = 0
  /// What sampling starts from, tile by tile.
  let latents: [any DeviceTensor]
  /// What it is steered by, tile by tile.
  let guides: [FrameGuide]
  /// The frame as the networks were given it, 0...255, where something at the end needs it.
  private(set) var input: [Float] = []

  fileprivate init(latents: [any DeviceTensor], guides: [FrameGuide]) {
    self.latents = latents
    self.guides = guides
  }

  /// Copies the frame. Were the caller's memory shared instead, the caller would copy it
  /// into new memory with every frame, when the next one is written there.
  func keep(_ rgb: [Float]) {
    input.removeAll(keepingCapacity: true)
    input.append(contentsOf: rgb)
  }
}

/// The frames that have arrived and not yet left, oldest first: the ring of latents.
///
/// Frames that left are used again for those that arrive, so that a running stream makes no new
/// ones.
struct FrameQueue {
  private(set) var frames: [HeldFrame] = []
  private var free: [HeldFrame] = []
  private let tileCount: Int

  init(tileCount: Int) { self.tileCount = tileCount }

  /// A frame to fill; it joins the others by ``append(_:number:)``.
  mutating func takeFree(from networks: any PipelineNetworks) -> HeldFrame {
    free.popLast()
      ?? HeldFrame(
        latents: (0..<tileCount).map { _ in networks.makeLatent() },
        guides: (0..<tileCount).map { _ in networks.makeGuide() })
  }

  mutating func append(_ frame: HeldFrame, number: Int) {
    frame.number = number
    frames.append(frame)
  }

  /// Takes a frame back that was taken and did not join.
  mutating func putBack(_ frame: HeldFrame) { free.append(frame) }

  /// Gives up the frames that wait to be used again.
  mutating func releaseFree() { free = [] }

  /// Lets the oldest frame go.
  mutating func removeFirst() { free.append(frames.removeFirst()) }
}
