import Foundation
import TensorCore

/// A small model with random weights and what the reference computes with it.
/// `Tests/Fixtures/make.py` makes them.
public enum Fixture: String, CaseIterable, Sendable {
  /// AutoencoderKL of factor 4, three resolutions, attention in the two finest, epsilon.
  case small
  /// AutoencoderKL of factor 8, two layers a block, eight latent channels, v-prediction.
  case wide
  /// AutoencoderTiny, one resolution with attention, v-prediction.
  case thin
  /// What diffusers does not know: AutoencoderHaar, without weights, residual blocks without norms,
  /// a window of latents at the input; v-prediction.
  case haar

  /// Where its files lie.
  public var files: FixtureFolder { FixtureFolder(name: rawValue) }

  /// What the networks give for given inputs, images as [height, width, channels]:
  ///
  /// - `token_ids` -> `text` [77, C];
  /// - `picture` [32, 48, 3] in [-1, 1] -> `latent`, VAE latent × scaling factor; picture · 0.5 +
  ///   0.5 is the condition;
  /// - `given`, a latent -> `decoded`; with the text at `timestep` -> `unet`, `controlled`,
  ///   `controlled_0.3` (control scale 1 and 0.3), `controlnet.mid`, the small ones among
  ///   `controlnet.down.N`;
  /// - condition -> `condition_embedding`;
  /// - `clip` [3, h, w, C] at `clip_timestep` -> `windowed`, the UNet with a window of radius 1.
  public func networks() throws -> [String: Tensor] { try files.networks() }

  /// What the whole pipeline gives for ``clip()``.
  public func cases() throws -> [PipelineCase] { try files.cases() }

  /// The frames that enter every case: rgb24, frames back to back.
  public static func clip() throws -> Clip {
    let list = try JSONDecoder().decode(
      FixtureFolder.CaseList.self,
      from: Data(contentsOf: FixtureFolder.root.appending(path: "small/cases.json")))
    let bytes = try Data(contentsOf: FixtureFolder.root.appending(path: "clip.rgb"))
    return Clip(
      width: list.width, height: list.height, frameCount: list.frames, bytes: [UInt8](bytes))
  }

  /// A model folder as diffusers writes it, in the temporary directory until the program ends.
  public func modelFolder() throws -> String { try files.modelFolder() }

  /// Writes it into a folder that is made for it.
  public func writeModel(to path: URL) throws { try files.writeModel(to: path) }
}

/// Frames of 8-bit samples.
public struct Clip: Sendable {
  public let width, height, frameCount: Int
  /// [frameCount, height, width, 3]
  public let bytes: [UInt8]

  public func frame(_ index: Int) -> ArraySlice<UInt8> {
    let size = width * height * 3
    return bytes[index * size..<(index + 1) * size]
  }
}

/// One set of options and what the reference's pipeline gives under them.
public struct PipelineCase: Sendable, CustomStringConvertible {
  public let name: String
  /// As on the command line: `["--chunk", "1", …]`.
  public let options: [String]
  let tensorFiles: [String: String]
  let folder: URL

  public var description: String { name }

  /// The restored frames, rgb24, frames back to back.
  public func output() throws -> [UInt8] {
    try [UInt8](Data(contentsOf: folder.appending(path: "\(name).rgb")))
  }

  /// What was kept on the way, [frames, height, width, channels]: `latent`, `inverted`; in some
  /// cases `sampled`, and `first_output`, the network's first answer in the first chunk.
  public func tensors() throws -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for (name, file) in tensorFiles {
      result[name] = try SafetensorsData.read(
        Data(contentsOf: folder.appending(path: "\(file).safetensors")))[name]
    }
    return result
  }
}
