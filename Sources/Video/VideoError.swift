import Glibc
import TensorCore

/// Why frames could not be read, written or understood, in one line for the person at the terminal.
///
/// Every message says what went wrong, where (byte and frame, both counted from 0), what was
/// expected, what was found, and what to do about it.
public struct VideoError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Kind: Sendable {
    /// What was asked for cannot be: a size, a pixel format, an option that is missing.
    case usage
    /// The stream is not what it should be.
    case badStream
    /// The system refused to read or write.
    case transfer
    /// Whoever read our output has gone.
    case readerGone
    /// There was no memory, or a library failed.
    case fault
  }

  public let kind: Kind
  public let description: String

  public init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}

extension VideoError {
  init(_ error: OutOfMemory) { self.init(.fault, error.description) }

  /// The one way from errno to an error.
  static func system(_ what: String, _ code: Int32) -> VideoError {
    VideoError(.transfer, "\(what): \(String(cString: strerror(code)))")
  }

  /// Bytes as a person can read them: `"RIFF" 0x00 0x1a`.
  static func spelled(_ bytes: some Collection<UInt8>) -> String {
    guard !bytes.isEmpty else { return "nothing" }
    var parts: [String] = []
    var text = ""
    for byte in bytes.prefix(24) {
      if (0x20..<0x7f).contains(byte) {
        text.unicodeScalars.append(Unicode.Scalar(byte))
        continue
      }
      if !text.isEmpty { parts.append("\"\(text)\"") }
      text = ""
      let digits = String(byte, radix: 16)
      parts.append("0x" + (digits.count == 1 ? "0" : "") + digits)
    }
    if !text.isEmpty { parts.append("\"\(text)\"") }
    return parts.joined(separator: " ") + (bytes.count > 24 ? " ..." : "")
  }
}
