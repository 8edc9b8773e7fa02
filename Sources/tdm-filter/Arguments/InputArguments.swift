import ArgumentParser
import Video

/// What stdin carries. stdout carries the same.
struct InputArguments: ParsableArguments {
  enum Format: String, CaseIterable, ExpressibleByArgument {
    case auto, y4m, raw
  }

  @Option(
    help: ArgumentHelp(
      "How frames come in, and go out. auto takes Y4M by its first bytes.", valueName: "format"))
  var inputFormat: Format = .auto

  @Option(
    help: ArgumentHelp("Raw: the frames' size, for example 640x360.", valueName: "WxH"),
    transform: PictureSize.init(parsing:))
  var size: PictureSize?

  @Option(
    help: ArgumentHelp(
      "Raw: the pixel format by ffmpeg's name, for example yuv420p.", valueName: "name"),
    transform: PixelFormat.init(named:))
  var pixelFormat: PixelFormat?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Frames a second where the stream does not say, for example 25 or 30000/1001; a Y4M header gets it, and messages tell speed by it.",
      valueName: "N/D"),
    transform: Ratio.init(parsing:))
  var rate: Ratio?

  @Option(
    help: ArgumentHelp(
      "The colour matrix of YUV frames, which no header tells; also by ffmpeg's names, as smpte170m and bt2020nc. (default: bt601)",
      valueName: "matrix"))
  var matrix: ColorMatrix?

  @Option(
    help: ArgumentHelp(
      "The range of YUV frames: limited (black is 16) or full (0). (default: the header's, else limited, and full for gray)",
      valueName: "range")
  )
  var range: ColorRange?

  /// What the reader is to know of the input.
  var description: InputDescription {
    let container: Container? =
      switch inputFormat {
      case .auto: nil
      case .y4m: .y4m
      case .raw: .raw
      }
    return InputDescription(
      container: container, size: size, pixelFormat: pixelFormat, frameRate: rate, matrix: matrix,
      range: range)
  }
}

extension ColorMatrix: ExpressibleByArgument {
  public init?(argument: String) { self.init(named: argument) }
}

extension ColorRange: ExpressibleByArgument {
  public init?(argument: String) { self.init(named: argument) }
}
