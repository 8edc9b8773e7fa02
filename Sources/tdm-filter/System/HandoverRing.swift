import Synchronization

/// Hands elements from any thread to one that waits for them, without a lock: a thread that
/// computes never waits for one that talks. What finds no room is refused.
///
/// Each slot counts its turns: a sender may fill slot i in turn i, i + capacity, ..., and the
/// receiver may empty it one later. Reference: Vyukov, "Bounded MPMC queue", here with one
/// receiver.
final class HandoverRing<Element: Sendable>: @unchecked Sendable {
  // Sendable: a slot's element is touched by the one thread whose turn it is; `head` by the
  // receiver alone. Turns and elements lie apart: who reads a turn may not reach for the element
  // beside it.
  private let turns: UnsafeMutablePointer<Atomic<Int>>
  private let elements: UnsafeMutablePointer<Element?>
  private let capacity: Int
  private let tail = Atomic<Int>(0)
  private var head = 0

  /// - Parameter capacity: a power of two, 2 or more.
  init(capacity: Int) {
    precondition(capacity > 1 && capacity & (capacity - 1) == 0)
    self.capacity = capacity
    turns = .allocate(capacity: capacity)
    for index in 0..<capacity { (turns + index).initialize(to: Atomic(index)) }
    elements = .allocate(capacity: capacity)
    elements.initialize(repeating: nil, count: capacity)
  }

  deinit {
    turns.deinitialize(count: capacity)
    turns.deallocate()
    elements.deinitialize(count: capacity)
    elements.deallocate()
  }

  /// Hands an element over, from any thread.
  /// - Returns: false where there is no room.
  func offer(_ element: Element) -> Bool {
    var place = tail.load(ordering: .relaxed)
    while true {
      let index = place & (capacity - 1)
      let ahead = turns[index].load(ordering: .acquiring) - place
      if ahead < 0 { return false }
      if ahead == 0 {
        let (exchanged, found) = tail.weakCompareExchange(
          expected: place, desired: place + 1, ordering: .relaxed)
        if exchanged {
          elements[index] = element
          turns[index].store(place + 1, ordering: .releasing)
          return true
        }
        place = found
      } else {
        place = tail.load(ordering: .relaxed)
      }
    }
  }

  /// Takes the oldest element. One thread only.
  func take() -> Element? {
    let index = head & (capacity - 1)
    guard turns[index].load(ordering: .acquiring) == head + 1 else { return nil }
    let element = elements[index].take()
    turns[index].store(head + capacity, ordering: .releasing)
    head += 1
    return element
  }
}
