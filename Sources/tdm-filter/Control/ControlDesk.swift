import ControlProtocol
import DequeModule
import Restoration
import Synchronization

/// Between the clients and the frame path: what clients want is put here, and what they may know.
///
/// Neither side waits for what the other does. Changes of options wait in a line that the compute
/// loop looks at between frames; pausing is a flag; what `get` tells is written by the compute loop
/// where it changes. Locks are held no longer than it takes to put something there.
final class ControlDesk: Sendable {
  /// What a client wants changed, and where the answer goes.
  struct Errand: Sendable {
    let change: OptionChange
    let answer: @Sendable (Result<AcceptedChange, Refusal>) -> Void
  }

  /// What the frame path lends to clients. Each may be called from any thread and does not block.
  struct Levers: Sendable {
    /// Has the compute loop look at the desk if it waits for a frame: where it is paused the desk
    /// does so itself.
    let wake: @Sendable () -> Void
    /// Ends reading; frames already read are finished.
    let drain: @Sendable () -> Void
    /// Ends the program; frames in progress are lost.
    let quit: @Sendable () -> Void
  }

  enum State: String, Sendable { case loading, running, paused, draining }

  /// What is in effect.
  struct View: Sendable {
    var preset: Preset
    var options: RestorationOptions
    /// What the buffers take at most.
    var memory: Int
    var pending: [AcceptedChange] = []
  }

  private struct Errands {
    static let most = 16
    var waiting: Deque<Errand> = []
    /// Whether nobody looks for them any more.
    var isClosed = false
  }

  private let levers: Levers
  private let errands = Mutex(Errands())
  private let isDraining = Atomic<Bool>(false)
  private let isPaused = Atomic<Bool>(false)
  private let gate = Monitor(())
  private let view = Mutex<View?>(nil)
  /// The number of the next frame that will be restored.
  private let nextFrame = Atomic<Int>(0)

  init(_ levers: Levers) { self.levers = levers }

  // MARK: The clients' side

  /// - Throws: ``Refusal`` where too many wait already, or no further frame will be restored.
  func hand(_ errand: Errand) throws(Refusal) {
    try errands.withLock { errands throws(Refusal) in
      if errands.isClosed { throw Self.ending }
      guard errands.waiting.count < Errands.most else {
        throw Refusal(.busy, "too many changes wait to be looked at")
      }
      errands.waiting.append(errand)
    }
    wake()
  }

  private static var ending: Refusal { Refusal(.ending, "no further frame will be restored") }

  /// Holds the computing before its next frame, or lets it go on.
  func setPaused(_ paused: Bool) {
    isPaused.store(paused, ordering: .releasing)
    wake()
  }

  private func wake() {
    gate.poke()
    levers.wake()
  }

  func drain() {
    beginDraining()
    levers.drain()
  }

  func quit() { levers.quit() }

  var current: (state: State, view: View?, nextFrame: Int) {
    let view = self.view.withLock { $0 }
    let state: State =
      if isDraining.load(ordering: .acquiring) {
        .draining
      } else if isPaused.load(ordering: .acquiring) {
        .paused
      } else {
        view == nil ? .loading : .running
      }
    return (state, view, nextFrame.load(ordering: .relaxed))
  }

  // MARK: The frame path's side

  /// The next change that a client wants.
  func take() -> Errand? { errands.withLock { $0.waiting.popFirst() } }

  /// Refuses all that waits, and all that comes.
  func close() {
    errands.withLock { $0.isClosed = true }
    while let errand = take() { errand.answer(.failure(Self.ending)) }
  }

  /// Frames that were read are finished, paused or not.
  func beginDraining() {
    isDraining.store(true, ordering: .releasing)
    gate.poke()
  }

  /// Tells what is in effect now.
  func publish(_ view: View) { self.view.withLock { $0 = view } }

  func advance(to frame: Int) { nextFrame.store(frame, ordering: .relaxed) }

  /// Returns at once unless the computing is to pause.
  func waitWhilePaused(_ idle: Idle) {
    guard isPaused.load(ordering: .acquiring) else { return }
    gate.wait(
      until: { _ in
        !isPaused.load(ordering: .acquiring) || isDraining.load(ordering: .acquiring)
      }, idle: idle, then: { _ in })
  }
}
