import ControlProtocol
import Glibc
import NIOCore
import StrictJSON

/// One client: its lines in, replies and events out. On the event loop only.
///
/// Nothing is read from a client that has used up its share of the moment, or that does not read
/// its replies; so what is kept for it is bounded.
final class ControlClient: ChannelInboundHandler, @unchecked Sendable {
  // Sendable: used on the event loop only.
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// Bytes that are read at a time.
  static let mostRead = 4096
  /// Bytes that are kept for a client that does not read.
  static let mostUnread = 64 << 10
  /// Reads and lines in a ``moment``.
  private static let share = 50
  private static let moment = TimeAmount.milliseconds(100)
  private static let quitPatience = TimeAmount.seconds(2)

  private let list: ClientList
  private var context: ChannelHandlerContext?
  private var received: [UInt8] = []
  /// How much of `received` has been looked through for a newline.
  private var searched = 0
  private var left = ControlClient.share
  private var awaitsMoment = false
  private var isReading = false
  /// Whether it sends no more, and answers that are yet to come.
  private var hasEnded = false
  /// Whether nothing more is answered.
  private var isClosing = false
  private var awaitedAnswers = 0
  private var observed: Set<Event.Name> = []
  private var lostEvents = 0

  init(_ list: ClientList) { self.list = list }

  // MARK: Connection

  func channelActive(context: ChannelHandlerContext) {
    self.context = context
    guard let options = context.channel as? any SocketOptionProvider else { return close() }
    let peer: EventLoopFuture<PeerCredentials> = options.unsafeGetSocketOption(
      level: .socket, name: .init(rawValue: SO_PEERCRED))
    peer.assumeIsolated().whenComplete { [self] result in
      // Root may open what it likes; here it has nothing to say unless the program is its own.
      guard case .success(let peer) = result, peer.user == geteuid() else { return close() }
      guard list.add(self) else {
        return refuse(
          Refusal(.tooManyClients, "\(ClientList.most) clients are connected already"))
      }
      readMore()
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    self.context = nil
    list.remove(self)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { close() }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard case ChannelEvent.inputClosed = event else { return }
    hasEnded = true
    closeIfDone()
  }

  private func close() { context?.close(promise: nil) }

  /// - Returns: completes when everything is written, or cannot be; nil where nobody is connected.
  func written() -> EventLoopFuture<Void>? {
    context.map { $0.writeAndFlush(wrapOutboundOut(ByteBuffer())) }
  }

  /// Ends the connection when everything is written.
  private func closeAfterWriting() {
    guard !isClosing, let written = written() else { return }
    isClosing = true
    written.assumeIsolated().whenComplete { [self] _ in close() }
  }

  private func closeIfDone() {
    let hasLine = received[searched...].contains(0x0a)
    if hasEnded, !hasLine, awaitedAnswers == 0, observed.isEmpty { closeAfterWriting() }
  }

  private func refuse(_ refusal: Refusal) {
    write(refusal.line)
    closeAfterWriting()
  }

  // MARK: Lines in

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    received += unwrapInboundIn(data).readableBytesView
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    isReading = false
    left -= 1
    serve()
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { serve() }
  }

  /// Answers as many lines as are there and allowed.
  private func serve() {
    while left > 0, !isClosing, context?.channel.isWritable == true, let line = takeLine() {
      left -= 1
      answer(line)
    }
    if isClosing { return }
    if received.count > Request.longestLine, searched == received.count {
      return refuse(
        Refusal(.tooLong, "expected a line of at most \(Request.longestLine) bytes"))
    }
    if left < Self.share { awaitMoment() }
    closeIfDone()
    readMore()
  }

  private func takeLine() -> [UInt8]? {
    guard let newline = received[searched...].firstIndex(of: 0x0a) else {
      searched = received.count
      return nil
    }
    var line = Array(received[..<newline])
    if line.last == 0x0d { line.removeLast() }
    received.removeFirst(newline + 1)
    searched = 0
    return line
  }

  private func readMore() {
    guard let context, left > 0, !isReading, !hasEnded, !isClosing, context.channel.isWritable,
      searched == received.count
    else { return }
    isReading = true
    context.read()
  }

  private func awaitMoment() {
    guard !awaitsMoment, let context else { return }
    awaitsMoment = true
    context.eventLoop.assumeIsolated().scheduleTask(in: Self.moment) { [self] in
      awaitsMoment = false
      left = Self.share
      serve()
    }
  }

  // MARK: Answers

  private func answer(_ line: [UInt8]) {
    // A person at a terminal may press return.
    if line.isEmpty { return }
    let request: Request
    do throws(Refusal) { request = try Request(line) } catch {
      return error.code == .tooLong ? refuse(error) : write(error.line)
    }
    var reply = Reply(to: request.id)
    switch request.command {
    case .ping: break
    case .get: tellState(in: &reply)
    case .stats: list.reporter.tellStatistics(in: &reply)
    case .observe(let events):
      observed = events
      reply.add(
        "events", .array(Event.Name.allCases.filter(events.contains).map { .string($0.rawValue) }))
    case .pause: list.desk.setPaused(true)
    case .resume: list.desk.setPaused(false)
    case .drain: list.desk.drain()
    case .quit:
      write(reply.bytes)
      return quit()
    case .set(let change): return hand(change, request.id)
    }
    write(reply.bytes)
  }

  /// Has the frame path end, and the process where that is held up by a reader.
  private func quit() {
    list.desk.quit()
    context?.eventLoop.scheduleTask(in: Self.quitPatience) {
      Ending.atOnce(because: Failure(Quit()))
    }
  }

  private func tellState(in reply: inout Reply) {
    let (state, view, nextFrame) = list.desk.current
    reply.add("protocol", .integer(protocolVersion))
    reply.add("state", .string(state.rawValue))
    guard let view else { return }
    reply.add("next_frame", .integer(nextFrame))
    reply.add("task", .string(view.options.task.rawValue))
    reply.add("preset", .string(view.preset.rawValue))
    reply.add("options", view.options.json)
    reply.add("memory_bytes", .integer(view.memory))
    reply.add("pending", .array(view.pending.map(\.json)))
  }

  /// Has a change carried out; the answer comes from the compute loop.
  private func hand(_ change: OptionChange, _ id: JSON) {
    guard let context else { return }
    let loop = context.eventLoop
    let errand = ControlDesk.Errand(change: change) { [self] result in
      loop.execute { [self] in
        awaitedAnswers -= 1
        switch result {
        case .success(let accepted):
          var reply = Reply(to: id)
          reply.add(accepted)
          write(reply.bytes)
        case .failure(let refusal): refuse(refusal, id)
        }
        closeIfDone()
      }
    }
    do throws(Refusal) {
      try list.desk.hand(errand)
      awaitedAnswers += 1
    } catch { refuse(error, id) }
  }

  private func refuse(_ refusal: Refusal, _ id: JSON) {
    write(Refusal(refusal.code, refusal.message, id: id).line)
  }

  // MARK: Lines out

  /// Brings an event if the client wants it and has room for it.
  func send(_ name: Event.Name, _ line: [UInt8], lostBefore: Int) {
    guard let context, !isClosing, !observed.isEmpty else { return }
    lostEvents += lostBefore
    guard observed.contains(name) else { return }
    guard context.channel.isWritable else {
      lostEvents += 1
      return
    }
    if lostEvents > 0 {
      write(Event.lost(count: lostEvents).line(at: list.reporter.secondsSinceStart))
      lostEvents = 0
    }
    write(line)
  }

  private func write(_ line: [UInt8]) {
    guard let context else { return }
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: line)), promise: nil)
  }
}

/// Linux's `struct ucred`, which Swift does not see.
private struct PeerCredentials: Sendable {
  var process: pid_t = 0
  var user: uid_t = 0
  var group: gid_t = 0
}
