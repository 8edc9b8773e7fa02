import CZstd

/// The library that unpacks models, as it is found at run time.
public enum ModelLibraries {
  /// Names with versions.
  public static var versions: [(name: String, version: String)] {
    [("zstd", String(cString: ZSTD_versionString()))]
  }
}
