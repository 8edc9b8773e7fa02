import FixtureSupport
import Foundation
import Kernels
import ModelFiles
import Networks
import TensorCore
import Testing

@Suite struct AutoencoderHaarTests {
  /// A model's folder of which the autoencoder is all that there is, without weights.
  private func autoencoder(_ members: String, scaling: Float = 0.5) throws -> any Autoencoder {
    let path = FileManager.default.temporaryDirectory.appending(path: "tdm-haar-\(UUID())")
    defer { try? FileManager.default.removeItem(at: path) }
    try FileManager.default.createDirectory(
      at: path.appending(path: "vae"), withIntermediateDirectories: true)
    try Data("{}".utf8).write(to: path.appending(path: "model_index.json"))
    let config =
      #"{"_class_name": "AutoencoderHaar", "band_scales": [1, 4, 3, 5], "scaling_factor": \#(scaling)"#
    try Data("\(config)\(members)}".utf8).write(to: path.appending(path: "vae/config.json"))
    return try ModelFolder(path: path.path).autoencoder()
  }

  @Test(arguments: Precision.allCases)
  func `encoding, then decoding, returns the picture in float32`(_ precision: Precision) throws {
    let device = try CPUDevice(precision: precision, threads: 2)
    let autoencoder = try autoencoder("")
    #expect(autoencoder.factor == 2 && autoencoder.latentChannels == 12)
    let encoder = try LatentEncoder(autoencoder, height: 18, width: 34, on: device)
    let decoder = try LatentDecoder(autoencoder, height: 18, width: 34, on: device)
    #expect(encoder.latentShape == [9, 17, 12])
    let pixels = seededNormals(seed: 3, count: 18 * 34 * 3)
    let picture = device.makeTensor([18, 34, 3], storage: .exact)
    let latent = device.makeTensor(encoder.latentShape, storage: .exact)
    picture.load(pixels)
    try encoder.encode(picture, into: latent)
    var latents = [Float](repeating: 0, count: latent.shape.count)
    latent.store(into: &latents)
    // The first block's low band of red, and its difference along x of blue.
    func pixel(_ y: Int, _ x: Int, _ c: Int) -> Float { pixels[(y * 34 + x) * 3 + c] }
    let low = (pixel(0, 0, 0) + pixel(0, 1, 0) + pixel(1, 0, 0) + pixel(1, 1, 0)) / 2
    let along = (pixel(0, 0, 2) - pixel(0, 1, 2) + pixel(1, 0, 2) - pixel(1, 1, 2)) / 2
    #expect(abs(latents[0] - 0.5 * low) < 1e-5 && abs(latents[5] - 0.5 * 4 * along) < 1e-5)

    try decoder.decode(latent, into: picture)
    var decoded = [Float](repeating: 0, count: pixels.count)
    picture.store(into: &decoded)
    #expect(zip(decoded, pixels).allSatisfy { abs($0 - $1) < 1e-5 })
  }

  @Test(arguments: Precision.allCases)
  func `a second level parts every band of the first, in float32`(_ precision: Precision) throws {
    let device = try CPUDevice(precision: precision, threads: 2)
    let pixels = seededNormals(seed: 4, count: 16 * 24 * 3)
    let once = try encoded(pixels, [16, 24, 3], by: autoencoder("", scaling: 1), device)
    let twice = try autoencoder(#", "levels": 2, "latent_channels": 48"#)
    #expect(twice.factor == 4 && twice.latentChannels == 48)
    let latents = try encoded(pixels, [16, 24, 3], by: twice, device)
    #expect(latents.count == pixels.count)
    // Of the block at (1, 2), band 2 of channel 5 of the first level: below it lie rows 2 and 3.
    func first(_ y: Int, _ x: Int) -> Float { once[(y * 12 + x) * 12 + 5] }
    let along = (first(2, 4) + first(2, 5) - first(3, 4) - first(3, 5)) / 2
    #expect(abs(latents[(1 * 6 + 2) * 48 + 2 * 12 + 5] - 0.5 * 3 * along) < 1e-5)

    let decoder = try LatentDecoder(twice, height: 16, width: 24, on: device)
    let latent = device.makeTensor([4, 6, 48], storage: .exact)
    let picture = device.makeTensor([16, 24, 3], storage: .exact)
    latent.load(latents)
    try decoder.decode(latent, into: picture)
    var decoded = [Float](repeating: 0, count: pixels.count)
    picture.store(into: &decoded)
    #expect(zip(decoded, pixels).allSatisfy { abs($0 - $1) < 1e-5 })
  }

  private func encoded(
    _ pixels: [Float], _ shape: Shape, by autoencoder: any Autoencoder, _ device: CPUDevice
  ) throws -> [Float] {
    let encoder = try LatentEncoder(
      autoencoder, height: shape[0], width: shape[1], on: device)
    let picture = device.makeTensor(shape, storage: .exact)
    let latent = device.makeTensor(encoder.latentShape, storage: .exact)
    picture.load(pixels)
    try encoder.encode(picture, into: latent)
    var latents = [Float](repeating: 0, count: latent.shape.count)
    latent.store(into: &latents)
    return latents
  }
}
