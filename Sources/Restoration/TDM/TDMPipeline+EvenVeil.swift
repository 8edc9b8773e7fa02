import Kernels

extension TDMPipeline {
  /// Gives a frame with its levels stretched in the place of what the networks made of it, where its veil is even.
  func liftEvenVeil(from restored: inout [Float], of frame: HeldFrame) throws {
    guard let veil = course.veil, veil.isSuspected(frame.input, restoredTo: restored) else {
      return
    }
    let probe = queue.takeFree(from: networks)
    defer { queue.putBack(probe) }
    load(0, of: veil.levels.picture)
    try encode(0, of: probe)
    try course.inversion.run(
      networks, latent: probe.latents[0], guide: probe.guides[0], output: output)
    try course.sampling.run(
      networks, from: [probe.latents[0]], core: 1, guides: [probe.guides[0]], window: nil,
      in: group)
    try decode(group.samples[0], 0, of: frame, into: &veil.restored)
    if veil.isConfirmed() {
      for index in restored.indices { restored[index] = veil.levels.picture[index] }
    }
  }
}
