/// The weights that make luma and colour differences out of RGB.
public enum ColorMatrix: String, Sendable, CaseIterable {
  /// ITU-R BT.601: standard definition, and whatever does not say.
  case bt601
  /// ITU-R BT.709: high definition.
  case bt709
  /// ITU-R BT.2020, non-constant luminance.
  case bt2020

  /// By its own name, or by one that ffmpeg has for the same weights.
  public init?(named name: String) {
    switch name {
    case "smpte170m", "bt470bg": self = .bt601
    case "bt2020nc", "bt2020_ncl": self = .bt2020
    default: self.init(rawValue: name)
    }
  }

  /// The share of red in luma.
  var red: Float { self == .bt601 ? 0.299 : self == .bt709 ? 0.2126 : 0.2627 }
  /// The share of blue in luma.
  var blue: Float { self == .bt601 ? 0.114 : self == .bt709 ? 0.0722 : 0.0593 }
}

/// Which codes black and white have.
public enum ColorRange: String, Sendable, CaseIterable {
  /// Luma 16...235, colour differences 16...240, times 2^(depth - 8).
  case limited
  /// All codes, 0 to 2^depth - 1.
  case full

  /// By its own name, or by one that ffmpeg has for it.
  public init?(named name: String) {
    switch name {
    case "tv", "mpeg": self = .limited
    case "pc", "jpeg": self = .full
    default: self.init(rawValue: name)
    }
  }
}

/// Where colour samples lie between the luma samples that share them.
public enum ChromaSiting: String, Sendable, CaseIterable {
  /// In the middle of them, both ways: JPEG, MPEG-1.
  case center
  /// On the left one, between the lines: MPEG-2, H.264 and later where they do not say.
  case left
  /// On the upper left one: PAL DV, BT.2020's discs.
  case topLeft

  var isHorizontallyCosited: Bool { self != .center }
  var isVerticallyCosited: Bool { self == .topLeft }
}
