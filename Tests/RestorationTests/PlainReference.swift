import Diffusion
import TensorCore

@testable import Restoration

/// The reference pipeline, transcribed line by line (whole clip in memory, features in dictionaries
/// by frame number) onto the networks of ``PlainNetworks``.
struct PlainReference {
  let options: RestorationOptions
  let schedule: NoiseSchedule
  let canvas: Canvas

  private struct Pass: Hashable {
    let isPositive: Bool
    let step: Int
  }

  func restore(_ frames: [[Float]]) -> [[Float]] {
    let encoded = frames.map { reduced($0) { $0 / 127.5 - 1 } }
    let conditions = frames.map { reduced($0) { $0 / 255 } }
    let radius = options.attention == .window ? options.radius : 0
    let isAnchored = options.attention == .first
    let up = [-1] + schedule.levels(options.inversionSteps, strength: options.strength)
    let down = schedule.levels(options.steps, strength: options.strength).reversed() + [-1]

    func predict(
      _ latent: [Float], _ timestep: Int, _ prompt: String, _ condition: [Float], _ scale: Double,
      window: [[Float]]?
    ) -> [Float] {
      let model = PlainModel(timestep: timestep, prompt: prompt)
      return model.output(
        latent, window: window ?? [model.feature(latent)],
        condition: scale == 0 ? nil : condition, controlScale: Float(scale))
    }

    var inverted: [[Float]] = []
    for (frame, latent) in encoded.enumerated() {
      var x = latent
      if options.start == .noise {
        var noise = StartNoise(
          Tiling(canvas), shape: [canvas.paddedHeight / 4, canvas.paddedWidth / 4, 3])
        noise.draw(seed: options.seed + UInt64(frame))
        noise.cut(0, into: &x)
      } else {
        for (from, to) in zip(up, up.dropFirst()) {
          let out = predict(
            x, to, options.inversionPrompt == .task ? options.taskPrompt : "", conditions[frame],
            options.inversionControlScale, window: nil)
          x = moved(x, out, from, to)
        }
      }
      inverted.append(x)
    }

    var cache: [Pass: [Int: [Float]]] = [:]
    var sampled = inverted
    let chunk = options.chunk == 0 ? max(1, frames.count) : options.chunk
    for start in stride(from: 0, to: frames.count, by: chunk) {
      let core = Array(start..<min(start + chunk, frames.count))
      let group = core + (core.last! + 1..<min(core.last! + 1 + options.lookahead, frames.count))
      let keep = isAnchored ? Array(core.prefix(1)) : Array(core.suffix(radius))
      var x = group.map { inverted[$0] }
      for (step, (from, to)) in zip(down, down.dropFirst()).enumerated() {
        func evaluate(_ prompt: String, isPositive: Bool) -> [[Float]] {
          let model = PlainModel(timestep: from, prompt: prompt)
          var store = cache[Pass(isPositive: isPositive, step: step)] ?? [:]
          var pool = store
          for (place, frame) in group.enumerated() { pool[frame] = model.feature(x[place]) }
          let outputs = group.enumerated().map { place, frame in
            let near =
              radius == 0 && !isAnchored
              ? [model.feature(x[place])]
              : (isAnchored ? [0] : Array(frame - radius...frame + radius)).compactMap { pool[$0] }
            return predict(
              x[place], from, prompt, conditions[frame], options.controlScale, window: near)
          }
          for frame in keep { store[frame] = pool[frame] }
          for frame in store.keys
          where frame <= (keep.max() ?? -1) - radius && !(isAnchored && frame == 0) {
            store[frame] = nil
          }
          cache[Pass(isPositive: isPositive, step: step)] = store
          return outputs
        }
        var outputs = evaluate(options.taskPrompt, isPositive: true)
        if options.guidance != 1 {
          let bases = evaluate(options.negativePrompt, isPositive: false)
          outputs = zip(outputs, bases).map { output, base in
            zip(output, base).map { $1 + Float(options.guidance) * ($0 - $1) }
          }
        }
        x = zip(x, outputs).map { moved($0, $1, from, to) }
      }
      for (place, frame) in core.enumerated() { sampled[frame] = x[place] }
    }

    return sampled.map { latent in
      let picture = PlainNetworks.enlarged(latent, canvas)
      return (0..<canvas.height * canvas.width * 3).map { index in
        let (y, x) = (index / 3 / canvas.width, index / 3 % canvas.width)
        return (picture[(y * canvas.paddedWidth + x) * 3 + index % 3] + 1) * 127.5
      }
    }
  }

  private func moved(_ x: [Float], _ output: [Float], _ from: Int, _ to: Int) -> [Float] {
    let move = schedule.move(from: from, to: to)
    return zip(x, output).map { move.latentFactor * $0 + move.outputFactor * $1 }
  }

  private func reduced(_ frame: [Float], _ scaled: (Float) -> Float) -> [Float] {
    let picture = (0..<canvas.paddedHeight * canvas.paddedWidth * 3).map { index in
      let y = min(index / 3 / canvas.paddedWidth, canvas.height - 1)
      let x = min(index / 3 % canvas.paddedWidth, canvas.width - 1)
      return scaled(frame[(y * canvas.width + x) * 3 + index % 3])
    }
    return PlainNetworks.reduced(picture, canvas)
  }
}
