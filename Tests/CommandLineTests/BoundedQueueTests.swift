import Foundation
import Testing

@testable import tdm_filter

@Suite("A bounded queue")
struct BoundedQueueTests {
  private struct Fault: Error, Equatable { let number: Int }

  @Test("gives what was sent, in order, and then its end")
  func order() throws {
    let queue = BoundedQueue<Int>(capacity: 3)
    for number in 0..<3 { queue.send(number) }
    queue.finish()
    #expect(try [queue.receive(), queue.receive(), queue.receive()] == [0, 1, 2])
    #expect(try queue.receive() == nil)
    #expect(try queue.receive() == nil)
  }

  @Test("gives everything that was sent before an error, and then the error")
  func error() throws {
    let queue = BoundedQueue<Int>(capacity: 2)
    queue.send(7)
    queue.finish(throwing: Fault(number: 1))
    // The first ending counts.
    queue.finish(throwing: Fault(number: 2))
    queue.finish()
    #expect(try queue.receive() == 7)
    #expect(throws: Fault(number: 1)) { try queue.receive() }
  }

  @Test("holds more, or less, once it is told to")
  func changedCapacity() throws {
    let queue = BoundedQueue<Int>(capacity: 1)
    #expect(queue.offer(0) && !queue.offer(9))
    queue.setCapacity(2)
    #expect(queue.offer(1) && !queue.offer(9))
    queue.setCapacity(1)
    #expect(try queue.receive() == 0 && !queue.offer(9))
    #expect(try queue.receive() == 1 && queue.offer(2))
  }

  @Test("never holds more than its capacity, and loses nothing", arguments: [1, 2, 5])
  func bound(capacity: Int) throws {
    let queue = BoundedQueue<Int>(capacity: capacity)
    let sent = Monitor(0)
    let count = 10_000
    try PlainThread.start(name: "sender") {
      for number in 0..<count {
        queue.send(number)
        sent.change { $0 += 1 }
      }
      queue.finish()
    }
    var received = 0
    while let number = try queue.receive() {
      #expect(number == received)
      received += 1
      let ahead = sent.change { $0 } - received
      #expect(ahead <= capacity)
    }
    #expect(received == count)
  }

  @Test("lets a sender wait for room")
  func room() throws {
    let queue = BoundedQueue<Int>(capacity: 1)
    let sent = Monitor(0)
    try PlainThread.start(name: "sender") {
      for number in 0..<2 {
        queue.send(number)
        sent.change { $0 += 1 }
      }
    }
    sent.wait(until: { $0 == 1 })
    // Were the second not held up, this would be time enough for it.
    usleep(50_000)
    #expect(sent.change { $0 } == 1)
    #expect(try queue.receive() == 0)
    sent.wait(until: { $0 == 2 })
    #expect(try queue.receive() == 1)
  }

  @Test("takes what is offered only where there is room")
  func offer() throws {
    let queue = BoundedQueue<Int>(capacity: 2)
    #expect(queue.offer(1) && queue.offer(2))
    #expect(!queue.offer(3))
    #expect(try queue.receive() == 1)
    #expect(queue.offer(4))
    queue.finish()
    #expect(try [queue.receive(), queue.receive(), queue.receive()] == [2, 4, nil])
  }

  @Test("gives one that is there without waiting for one")
  func takingIfThere() throws {
    let queue = BoundedQueue<Int>(capacity: 2)
    #expect(queue.takeIfThere() == nil)
    for round in 0..<3 {
      #expect(queue.offer(2 * round) && queue.offer(2 * round + 1) && !queue.offer(-1))
      #expect(queue.takeIfThere() == 2 * round && queue.takeIfThere() == 2 * round + 1)
      #expect(queue.takeIfThere() == nil)
    }
    // What takes room gives it back.
    #expect(queue.offer(9))
    queue.finish()
    #expect(queue.takeIfThere() == 9 && queue.takeIfThere() == nil)
    #expect(try queue.receive() == nil)
  }

  @Test("takes no time that grows with the square of its length", .timeLimit(.minutes(5)))
  func longLine() throws {
    let queue = BoundedQueue<Int>(capacity: 1)
    let count = 1_000_000
    for number in 0..<count { queue.sendBeyondCapacity(number) }
    queue.finish()
    var sum = 0
    while let number = try queue.receive() { sum += number }
    #expect(sum == count * (count - 1) / 2)
  }

  @Test("keeps the place of what takes no room, and the room of what takes some")
  func outsideTheBound() throws {
    let queue = BoundedQueue<Int>(capacity: 1)
    #expect(queue.offer(1))
    for number in 2...5 { queue.sendBeyondCapacity(number) }
    #expect(!queue.offer(6))
    #expect(try queue.receive() == 1)
    #expect(queue.offer(6))
    #expect(try (2...6).map { _ in try queue.receive() } == [2, 3, 4, 5, 6])
    #expect(queue.offer(7))
    #expect(!queue.offer(8))
  }
}
