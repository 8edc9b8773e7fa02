import DequeModule

/// A first-in, first-out line between two threads that holds at most `capacity` elements: the
/// thread that is faster waits for the other, so that memory does not grow with the stream.
///
/// The sending side ends it, with an error or without: what was sent before is still received, and
/// then the end.
///
/// An element may also be sent outside of this bound, by whoever bounds it in another way: it keeps
/// its place in line, but takes no room.
final class BoundedQueue<Element: Sendable>: Sendable {
  private enum Ending {
    case finished
    case failed(any Error)
  }

  private struct State {
    var capacity: Int
    /// What takes no room may be many, as late frames are behind one that is slow.
    var elements: Deque<(element: Element, takesRoom: Bool)> = []
    /// Elements that take room.
    var occupied = 0
    var ending: Ending?
    /// Whether what is sent is dropped.
    var isAbandoned = false

    var hasRoom: Bool { occupied < capacity }

    mutating func append(_ element: Element, takingRoom: Bool) {
      if isAbandoned { return }
      precondition(ending == nil, "sent after the end")
      elements.append((element, takingRoom))
      if takingRoom { occupied += 1 }
    }

    mutating func removeFirst() -> Element {
      let (element, takesRoom) = elements.removeFirst()
      if takesRoom { occupied -= 1 }
      return element
    }
  }

  private let state: Monitor<State>

  /// - Parameter capacity: 1 or more.
  init(capacity: Int) {
    precondition(capacity > 0)
    state = Monitor(State(capacity: capacity))
  }

  /// Has it hold as many as this from now on; what it holds beyond that stays until it is received.
  /// - Parameter capacity: 1 or more.
  func setCapacity(_ capacity: Int) {
    precondition(capacity > 0)
    state.change { $0.capacity = capacity }
  }

  /// Appends an element as soon as there is room.
  /// - Parameter idle: what is done while there is none.
  /// - Precondition: the queue is not finished.
  func send(_ element: Element, idle: Idle? = nil) {
    state.wait(
      until: { $0.hasRoom }, idle: idle,
      then: { $0.append(element, takingRoom: true) })
  }

  /// Appends an element if there is room now.
  /// - Returns: whether there was.
  /// - Precondition: the queue is not finished.
  func offer(_ element: Element) -> Bool {
    state.change { state in
      guard state.hasRoom else { return false }
      state.append(element, takingRoom: true)
      return true
    }
  }

  /// Takes the first element if there is one now.
  func takeIfThere() -> Element? {
    state.change { $0.elements.isEmpty ? nil : $0.removeFirst() }
  }

  /// Appends an element that takes no room.
  /// - Precondition: the queue is not finished.
  func sendBeyondCapacity(_ element: Element) {
    state.change { $0.append(element, takingRoom: false) }
  }

  /// Tells that nothing more will be sent. The first call counts.
  /// - Parameter error: what ended it before its time.
  func finish(throwing error: (any Error)? = nil) {
    state.change { state in
      if state.ending == nil { state.ending = error.map(Ending.failed) ?? .finished }
    }
  }

  /// Ends it for the receiver at once: what was sent and not yet received is dropped, and so is
  /// what is sent from now on.
  func abandon(throwing error: any Error) {
    state.change { state in
      state.elements = []
      state.occupied = 0
      state.isAbandoned = true
      state.ending = .failed(error)
    }
  }

  /// Has a receiver that waits idly look up.
  func poke() { state.poke() }

  /// Takes the first element as soon as there is one.
  /// - Parameter idle: what is done while there is none.
  /// - Returns: nil after the last element.
  /// - Throws: after the last element, the error that the queue was finished with.
  func receive(idle: Idle? = nil) throws -> Element? {
    try state.wait(
      until: { !$0.elements.isEmpty || $0.ending != nil }, idle: idle,
      then: { state in
        if !state.elements.isEmpty { return state.removeFirst() }
        if case .failed(let error) = state.ending { throw error }
        return nil
      })
  }
}
