/// How frames follow each other in bytes.
public enum Container: String, Sendable {
  /// YUV4MPEG2: a header line, and a `FRAME` line before each frame.
  case y4m
  /// Frames back to back and nothing else.
  case raw
}

/// Which field of a frame comes first; a Y4M header's `I`. The lines are not taken apart: it is
/// forwarded.
public enum Interlacing: Character, Sendable {
  case unknown = "?"
  case progressive = "p"
  case topFieldFirst = "t"
  case bottomFieldFirst = "b"
  /// Each frame's parameters say.
  case mixed = "m"

  /// Whether lines of one frame may be of two moments.
  public var hasFields: Bool {
    switch self {
    case .topFieldFirst, .bottomFieldFirst, .mixed: true
    case .unknown, .progressive: false
    }
  }
}

/// All that is known of a stream before its first frame.
public struct StreamFormat: Equatable, Sendable {
  public var container: Container
  public var size: PictureSize
  public var pixelFormat: PixelFormat
  public var chromaSiting: ChromaSiting
  /// As the stream or the user says; nil where neither does.
  public var matrix: ColorMatrix?
  /// As the stream or the user says; nil where neither does.
  public var range: ColorRange?
  /// Frames a second; nil where unknown.
  public var frameRate: Ratio?
  public var interlacing: Interlacing?
  /// A pixel's width over its height; nil where unknown.
  public var pixelAspect: Ratio?
  /// Header tags that are forwarded as they are, in order: `XVENDOR=1`.
  public var extensions: [String]

  public init(
    container: Container, size: PictureSize, pixelFormat: PixelFormat,
    chromaSiting: ChromaSiting = .left, matrix: ColorMatrix? = nil, range: ColorRange? = nil,
    frameRate: Ratio? = nil, interlacing: Interlacing? = nil, pixelAspect: Ratio? = nil,
    extensions: [String] = []
  ) {
    self.container = container
    self.size = size
    self.pixelFormat = pixelFormat
    self.chromaSiting = chromaSiting
    self.matrix = matrix
    self.range = range
    self.frameRate = frameRate
    self.interlacing = interlacing
    self.pixelAspect = pixelAspect
    self.extensions = extensions
  }

  public var layout: FrameLayout { FrameLayout(size: size, pixelFormat: pixelFormat) }

  /// Whether a matrix made the samples: gray and RGB have none.
  public var hasMatrix: Bool { pixelFormat.family == .yuv }

  /// The matrix in effect: BT.601 where nobody says.
  public var effectiveMatrix: ColorMatrix { matrix ?? .bt601 }

  /// The range in effect: RGB is full whatever is said; limited where nobody says, but for gray and
  /// `yuvj`.
  public var effectiveRange: ColorRange {
    pixelFormat.isRGB ? .full : range ?? pixelFormat.rangeUnlessStated
  }

  /// The same stream with pictures `factor` times as wide and high; the pixel's aspect stays.
  /// - Throws: ``VideoError`` of kind `usage` where that is beyond the largest picture.
  public func enlarged(by factor: Int) throws(VideoError) -> StreamFormat {
    var larger = self
    larger.size = try size.enlarged(by: factor)
    return larger
  }
}
