/// A first-in, first-out line between two threads that holds at most `capacity` elements: the thread that is faster
/// waits for the other, so that memory does not grow with the stream.
///
/// The sending side ends it, with an error or without: what was sent before is still received, and then the end.
final class BoundedQueue<Element: Sendable>: Sendable {
  private enum Ending {
    case finished
    case failed(any Error)
  }

  private struct State {
    var elements: [Element] = []
    var ending: Ending?
  }

  let capacity: Int
  private let state = Monitor(State())

  /// - Parameter capacity: 1 or more.
  init(capacity: Int) {
    precondition(capacity > 0)
    self.capacity = capacity
  }

  /// Appends an element as soon as there is room.
  /// - Precondition: the queue is not finished.
  func send(_ element: Element) {
    state.wait(
      until: { $0.elements.count < capacity },
      then: { state in
        precondition(state.ending == nil, "sent after the end")
        state.elements.append(element)
      })
  }

  /// Tells that nothing more will be sent. The first call counts.
  /// - Parameter error: what ended it before its time.
  func finish(throwing error: (any Error)? = nil) {
    state.change { state in
      if state.ending == nil { state.ending = error.map(Ending.failed) ?? .finished }
    }
  }

  /// Takes the first element as soon as there is one.
  /// - Returns: nil after the last element.
  /// - Throws: after the last element, the error that the queue was finished with.
  func receive() throws -> Element? {
    try state.wait(
      until: { !$0.elements.isEmpty || $0.ending != nil },
      then: { state in
        if !state.elements.isEmpty { return state.elements.removeFirst() }
        if case .failed(let error) = state.ending { throw error }
        return nil
      })
  }
}
