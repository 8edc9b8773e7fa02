import ControlProtocol
import NIOCore

/// Those who are connected, and what they may know and do. On the event loop only.
final class ClientList: @unchecked Sendable {
  // Sendable: the list is touched on the event loop only; what it refers to is Sendable.
  /// At most, at a time.
  static let most = 8

  let desk: ControlDesk
  let reporter: StatusReporter
  private var clients: [ObjectIdentifier: ControlClient] = [:]

  init(_ desk: ControlDesk, _ reporter: StatusReporter) {
    self.desk = desk
    self.reporter = reporter
  }

  /// - Returns: false where there are too many.
  func add(_ client: ControlClient) -> Bool {
    guard clients.count < Self.most else { return false }
    clients[ObjectIdentifier(client)] = client
    return true
  }

  func remove(_ client: ControlClient) { clients[ObjectIdentifier(client)] = nil }

  /// - Returns: succeeds when all that was sent is written, or cannot be.
  func written(on loop: any EventLoop) -> EventLoopFuture<Void> {
    .andAllComplete(clients.values.compactMap { $0.written() }, on: loop)
  }

  func send(_ name: Event.Name, _ line: [UInt8], lostBefore: Int) {
    for client in clients.values { client.send(name, line, lostBefore: lostBefore) }
  }
}
