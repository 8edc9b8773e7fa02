import Kernels

extension TDMPipeline {
  /// Lifts a frame's veil where it is even; does nothing where none is looked for.
  func liftEvenVeil(from restored: inout [Float], of frame: HeldFrame) throws {
    guard let veil = course.veil else { return }
    try veil.lift(from: &restored, of: frame.input) { picture, restored in
      let probe = queue.takeFree(from: networks)
      defer { queue.putBack(probe) }
      load(0, of: picture)
      try encode(0, of: probe)
      try course.inversion.run(
        networks, latent: probe.latents[0], guide: probe.guides[0], output: output)
      try course.sampling.run(
        networks, from: [probe.latents[0]], core: 1, guides: [probe.guides[0]], window: nil,
        in: group)
      try decode(group.samples[0], 0, of: frame, into: &restored)
    }
  }
}
