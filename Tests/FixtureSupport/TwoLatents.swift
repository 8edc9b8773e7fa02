import Foundation
import TensorCore

extension Fixture {
  /// Makes the UNet of a model, a copy, one that reads two latents: of the second what it read of
  /// the first, times a factor, or nothing of it.
  public static func readTwoLatents(
    in model: URL, readsSecond: Bool, times factor: Float = 1
  ) throws {
    let part = model.appending(path: "unet")
    let file = part.appending(path: "diffusion_pytorch_model.safetensors")
    var channels = 0
    try SafetensorsData.rewrite(file) {
      let weight = $0["conv_in.weight"]!
      channels = weight.shape[1]
      let own = weight.elements.count / weight.shape[0]
      let zeros = [Float](repeating: 0, count: own)
      $0["conv_in.weight"] = Tensor(
        [weight.shape[0], 2 * channels, weight.shape[2], weight.shape[3]],
        stride(from: 0, to: weight.elements.count, by: own).flatMap {
          let read = weight.elements[$0..<$0 + own].map { $0 * factor }
          return readsSecond ? zeros + read : read + zeros
        })
    }
    let config = part.appending(path: "config.json")
    try String(contentsOf: config, encoding: .utf8)
      .replacingOccurrences(
        of: "\"in_channels\": \(channels)", with: "\"in_channels\": \(2 * channels)"
      )
      .write(to: config, atomically: true, encoding: .utf8)
  }
}
