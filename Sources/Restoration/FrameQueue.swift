import Kernels

/// A frame between its arrival and its departure.
final class HeldFrame {
  /// Counted from 0 over the whole stream.
  fileprivate(set) var number = 0
  /// What sampling starts from.
  let latent: any DeviceTensor
  /// The embedded degraded frame; nil where the ControlNet is left out.
  let condition: (any DeviceTensor)?
  /// The degraded frame, 0...255, where something at the end needs it.
  var input: [Float] = []

  fileprivate init(latent: any DeviceTensor, condition: (any DeviceTensor)?) {
    self.latent = latent
    self.condition = condition
  }
}

/// The frames that have arrived and not yet left, oldest first: the ring of latents.
///
/// Frames that left are used again for those that arrive, so that a running stream makes no new ones.
struct FrameQueue {
  private(set) var frames: [HeldFrame] = []
  private var free: [HeldFrame] = []
  private let usesControl: Bool

  init(usesControl: Bool) { self.usesControl = usesControl }

  /// A frame to fill; it joins the others by ``append(_:number:)``.
  mutating func takeFree(from networks: any PipelineNetworks) -> HeldFrame {
    free.popLast()
      ?? HeldFrame(
        latent: networks.makeLatent(), condition: usesControl ? networks.makeCondition() : nil)
  }

  mutating func append(_ frame: HeldFrame, number: Int) {
    frame.number = number
    frames.append(frame)
  }

  /// Lets the oldest frame go.
  mutating func removeFirst() { free.append(frames.removeFirst()) }
}
