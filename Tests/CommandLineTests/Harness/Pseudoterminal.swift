import Foundation
import Testing

/// A terminal that the tests sit at.
final class Pseudoterminal {
  /// The side that a program has: what it writes there is shown.
  let device: Int32
  let path: String
  private let screen: Int32

  /// TIOCSPTLCK and TIOCGPTN.
  private static let setLock: UInt = 0x4004_5431
  private static let getNumber: UInt = 0x8004_5430

  init(columns: UInt16 = 0) throws {
    // As posix_openpt, unlockpt and ptsname, which Swift's Glibc does not have.
    screen = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
    var lock: Int32 = 0
    var number: Int32 = 0
    try #require(ioctl(screen, Self.setLock, &lock) == 0)
    try #require(ioctl(screen, Self.getNumber, &number) == 0)
    path = "/dev/pts/\(number)"
    device = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
    try #require(device >= 0)
    var size = winsize(ws_row: 0, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    try #require(ioctl(device, UInt(TIOCSWINSZ), &size) == 0)
  }

  deinit {
    close(device)
    close(screen)
  }

  /// What has been written to it since it was last looked at; line feeds come with a carriage
  /// return.
  func shown() -> String {
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(screen, &buffer, buffer.count)
      guard count > 0 else { return String(decoding: text, as: UTF8.self) }
      text += buffer[..<count]
    }
  }
}
