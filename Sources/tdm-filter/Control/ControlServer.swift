import ControlProtocol
import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// Serves the clients of a ``ControlSocket``, on one thread of its own that gives way to the
/// computing.
///
/// What clients can take is bounded: their number, their lines, the lines a second, and what is
/// kept for those that do not read.
final class ControlServer: Sendable {
  /// Events on their way to the event loop.
  private static let mostInFlight = 64
  /// Added to the niceness of the frames' threads: the scheduler serves those first.
  private static let niceness: Int32 = 10

  private let socket: ControlSocket
  private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  private let clients: ClientList
  private let inFlight = Atomic<Int>(0)
  private let skipped = Atomic<Int>(0)

  init(_ socket: ControlSocket, _ desk: ControlDesk, _ reporter: StatusReporter) {
    self.socket = socket
    clients = ClientList(desk, reporter)
  }

  /// Begins to serve.
  func start() throws(Failure) {
    // Of the calling thread, which has the others' niceness until then.
    group.next().execute {
      let thread = Int32(PRIO_PROCESS.rawValue)
      _ = setpriority(thread, 0, min(getpriority(thread, 0) + Self.niceness, 19))
    }
    let clients = self.clients
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(AcceptPause())
        }
      }
      .childChannelOption(.autoRead, value: false)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelOption(.maxMessagesPerRead, value: 1)
      .childChannelOption(
        .recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: ControlClient.mostRead)
      )
      .childChannelOption(
        .writeBufferWaterMark, value: .init(low: 16 << 10, high: ControlClient.mostUnread)
      )
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(ControlClient(clients))
        }
      }
    do { _ = try bootstrap.withBoundSocket(socket.descriptor).wait() } catch {
      throw Failure(.inputOutput, "--control \(socket.path): \(error)")
    }
  }

  /// Gives the socket's place back, and has clients take what was sent so far, but not for long.
  /// Connections end with the process.
  func end() {
    socket.remove()
    let isWritten = Monitor(false)
    let loop = group.next()
    loop.execute { [clients] in
      clients.written(on: loop).whenComplete { _ in isWritten.change { $0 = true } }
    }
    _ = isWritten.wait(until: { $0 }, within: .seconds(1), then: { _ in })
  }

  /// Brings an event to those who observe it; where they are too slow, it is lost and counted.
  /// Never blocks.
  func send(_ name: Event.Name, _ line: [UInt8]) {
    guard inFlight.load(ordering: .relaxed) < Self.mostInFlight else {
      skipped.add(1, ordering: .relaxed)
      return
    }
    inFlight.add(1, ordering: .relaxed)
    let lost = skipped.exchange(0, ordering: .relaxed)
    group.next().execute { [self] in
      inFlight.subtract(1, ordering: .relaxed)
      clients.send(name, line, lostBefore: lost)
    }
  }
}

/// Accepts nobody for a moment where that has failed, as where there is no descriptor for a client:
/// it stays in line, and would be tried for without end. (NIO's AcceptBackoffHandler pauses once.)
private final class AcceptPause: ChannelInboundHandler {
  typealias InboundIn = Channel

  private static let duration = TimeAmount.seconds(1)

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    let channel = context.channel
    try? channel.syncOptions?.setOption(.autoRead, value: false)
    context.eventLoop.scheduleTask(in: Self.duration) {
      _ = channel.setOption(.autoRead, value: true)
    }
  }
}
