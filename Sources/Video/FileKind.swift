/// A video file that was taken for frames, by its first bytes.
enum FileKind: String {
  case mp4 = "an MP4 or QuickTime file"
  case matroska = "a Matroska or WebM file"
  case avi = "an AVI file"

  init?(_ bytes: [UInt8]) {
    func has(_ text: String, at place: Int) -> Bool {
      bytes.dropFirst(place).starts(with: text.utf8)
    }
    if has("ftyp", at: 4) {
      self = .mp4
    } else if bytes.starts(with: [0x1a, 0x45, 0xdf, 0xa3]) {
      self = .matroska
    } else if has("RIFF", at: 0), has("AVI ", at: 8) {
      self = .avi
    } else {
      return nil
    }
  }
}
