import CAVUtil
import CSWScale

/// The libraries that know pixel formats, as they are found at run time.
public enum VideoLibraries {
  /// Names with versions.
  public static var versions: [(name: String, version: String)] {
    [("libavutil", text(avutil_version())), ("libswscale", text(swscale_version()))]
  }

  /// FFmpeg's way to put three numbers in one.
  private static func text(_ version: UInt32) -> String {
    "\(version >> 16).\(version >> 8 & 0xff).\(version & 0xff)"
  }
}
