import Glibc

/// A value that threads share, with a way to wait until it satisfies them.
final class Monitor<Value>: @unchecked Sendable {
  // Sendable: `value` is touched only while `mutex` is held.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let changed: UnsafeMutablePointer<pthread_cond_t>
  private var value: Value
  private var pokeCount: UInt = 0

  init(_ value: sending Value) {
    self.value = value
    mutex = .allocate(capacity: 1)
    changed = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    // A clock that nobody sets.
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(changed, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(mutex)
    changed.deallocate()
    mutex.deallocate()
  }

  /// Changes the value and wakes whoever waits for it.
  func change<R>(_ body: (inout Value) throws -> R) rethrows -> R {
    try locked { try body(&value) }
  }

  /// Whoever waits looks at the value again afterwards.
  private func locked<R>(_ body: () throws -> R) rethrows -> R {
    pthread_mutex_lock(mutex)
    defer {
      pthread_cond_broadcast(changed)
      pthread_mutex_unlock(mutex)
    }
    return try body()
  }

  /// Waits until `condition` holds, then changes the value before anyone else can.
  /// - Parameter idle: what the thread does meanwhile: before it falls asleep and each time it
  ///   wakes.
  func wait<R>(
    until condition: (Value) -> Bool, idle: Idle? = nil, then body: (inout Value) throws -> R
  ) rethrows -> R {
    try locked {
      while !condition(value) {
        guard let idle else {
          pthread_cond_wait(changed, mutex)
          continue
        }
        let seen = pokeCount
        pthread_mutex_unlock(mutex)
        idle.body()
        pthread_mutex_lock(mutex)
        if condition(value) || pokeCount != seen { continue }
        if let period = idle.period {
          var deadline = Self.instant(after: period)
          pthread_cond_timedwait(changed, mutex, &deadline)
        } else {
          pthread_cond_wait(changed, mutex)
        }
      }
      return try body(&value)
    }
  }

  /// Wakes a thread that waits idly.
  func poke() { locked { pokeCount &+= 1 } }

  /// Waits until `condition` holds, but not longer than `patience`, then changes the value before
  /// anyone else can.
  /// - Returns: nil where the time was over first.
  func wait<R>(
    until condition: (Value) -> Bool, within patience: Duration,
    then body: (inout Value) throws -> R
  ) rethrows -> R? {
    var deadline = Self.instant(after: patience)
    return try locked {
      while !condition(value) {
        if pthread_cond_timedwait(changed, mutex, &deadline) == ETIMEDOUT {
          guard condition(value) else { return nil }
        }
      }
      return try body(&value)
    }
  }

  private static func instant(after duration: Duration) -> timespec {
    var instant = timespec()
    clock_gettime(CLOCK_MONOTONIC, &instant)
    let nanoseconds = instant.tv_nsec + Int(max(duration, .zero) / .nanoseconds(1))
    instant.tv_sec += nanoseconds / 1_000_000_000
    instant.tv_nsec = nanoseconds % 1_000_000_000
    return instant
  }
}

/// What a thread does while it has to wait.
struct Idle {
  /// How often, at least; nil only when woken.
  let period: Duration?
  let body: () -> Void
}
