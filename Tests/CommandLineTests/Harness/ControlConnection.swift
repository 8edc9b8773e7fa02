import Foundation
import StrictJSON
import Testing

@testable import tdm_filter

/// A client of the control socket, as plain as one can be.
final class ControlConnection: @unchecked Sendable {
  // Sendable: one thread receives; another may send.
  let descriptor: Int32
  private var received: [UInt8] = []

  /// Connects as soon as somebody listens.
  /// - Parameter patience: in seconds, for each line: one that never comes ends the test.
  init(_ path: String, patience: Int = 60) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    let address = try #require(UnixAddress(path))
    var isConnected = false
    for _ in 0..<60 * 20 where !isConnected {
      isConnected = address.withPointer { connect(descriptor, $0, $1) } == 0
      if !isConnected { usleep(50_000) }
    }
    try #require(isConnected, "nobody listens at \(path)")
    setPatience(patience)
  }

  /// - Parameter seconds: for each line.
  func setPatience(_ seconds: Int) {
    var limit = timeval(tv_sec: seconds, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(
        descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
  }

  deinit { close(descriptor) }

  /// A path for a socket, short enough for one.
  static func path() -> String { "/tmp/tdm-\(UUID().uuidString.prefix(13)).sock" }

  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Foundation.send(
          descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { return false }
      sent += count
    }
    return true
  }

  @discardableResult
  func send(_ line: String) -> Bool { send(Array((line + "\n").utf8)) }

  func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// The next line; nil at the end.
  func line() -> String? {
    while true {
      if let newline = received.firstIndex(of: 0x0a) {
        let line = String(decoding: received[..<newline], as: UTF8.self)
        received.removeFirst(newline + 1)
        return line
      }
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      let count = recv(descriptor, &buffer, buffer.count, 0)
      guard count > 0 else { return nil }
      received += buffer[..<count]
    }
  }

  func message() throws -> Message { try Message(try #require(line(), "no more lines")) }

  /// The reply to a request; events on the way are dropped.
  func ask(_ request: String) throws -> Message {
    send(request)
    while true {
      let message = try message()
      if message.event == nil { return message }
    }
  }
}

extension Message {
  var isOK: Bool { self["ok"] == .bool(true) }
  var errorCode: String? { self["error"]?.object?["code"]?.string }
}
