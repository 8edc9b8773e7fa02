import Glibc
import Testing

@testable import tdm_filter

@Suite("A ring between threads")
struct HandoverRingTests {
  @Test("gives what it took in order, and refuses what has no room")
  func bound() {
    let ring = HandoverRing<Int>(capacity: 4)
    #expect(ring.take() == nil)
    for round in 0..<10 {
      for number in 0..<4 { #expect(ring.offer(round * 4 + number)) }
      #expect(!ring.offer(-1))
      for number in 0..<4 { #expect(ring.take() == round * 4 + number) }
      #expect(ring.take() == nil)
    }
  }

  @Test("loses nothing of what it took, and keeps each sender's order")
  func senders() throws {
    let ring = HandoverRing<(sender: Int, number: Int)>(capacity: 8)
    let count = 20_000
    for sender in 0..<3 {
      try PlainThread.start(name: "sender") {
        for number in 0..<count {
          while !ring.offer((sender, number)) { sched_yield() }
        }
      }
    }
    var next = [0, 0, 0]
    while next != [count, count, count] {
      guard let (sender, number) = ring.take() else {
        sched_yield()
        continue
      }
      guard number == next[sender] else {
        Issue.record("\(number) of sender \(sender) after \(next[sender])")
        return
      }
      next[sender] += 1
    }
    #expect(ring.take() == nil)
  }
}
