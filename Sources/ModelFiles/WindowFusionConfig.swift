/// `window_fusion` of `unet/config.json`: attention across the window's frames before the UNet's last norm, a layer of our
/// own, which diffusers does not know.
public struct WindowFusionConfig: Sendable, Equatable {
  /// Of queries and keys.
  public var keyChannels: Int
  /// How far a position sees along either axis.
  public var reach: Int
  /// Frames that are further away than this count as this far.
  public var radius: Int

  static let key = "window_fusion"
  private static let keys: Set = ["key_channels", "reach", "radius"]

  init(_ reader: ConfigReader) throws(ModelError) {
    if let key = reader.members.keys.sorted().first(where: { !Self.keys.contains($0) }) {
      throw ModelError(
        "\(reader.file): \(key.quoted): expected \(ConfigReader.list(Self.keys.sorted())), "
          + "and no other key")
    }
    keyChannels = try reader.int("key_channels", default: 16, in: 1...4096)
    reach = try reader.int("reach", default: 3, in: 0...16)
    radius = try reader.int("radius", default: 3, in: 0...64)
  }
}
