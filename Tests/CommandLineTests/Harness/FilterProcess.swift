import Foundation
import Testing

@testable import tdm_filter

/// What a finished run of the program left.
struct FilterResult {
  /// The exit status; a signal's number, negative, where one ended the program.
  let status: Int32
  let output: [UInt8]
  let errors: String

  /// Lines of stderr.
  var errorLines: [Substring] { errors.split(separator: "\n") }

  /// Those that are not the first one of every stream.
  var linesBesidePlan: [Substring] {
    errorLines.filter { !$0.hasPrefix("tdm-filter: plan: ") }
  }
}

/// The program as a user runs it: a process of its own between two pipes.
final class FilterProcess: @unchecked Sendable {
  // Sendable: descriptors and the process do not change; what is read is behind monitors.
  /// The program, built beside the tests.
  static let path: String = {
    if let given = ProcessInfo.processInfo.environment["TDM_FILTER"] { return given }
    let tests = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    return tests.deletingLastPathComponent().appending(path: "tdm-filter").path
  }()

  /// What every run is given besides: TDM_OPTIONS="--sandbox off" lets a sanitizer start what names
  /// places for it.
  static let furtherOptions =
    (ProcessInfo.processInfo.environment["TDM_OPTIONS"] ?? "")
    .split(separator: " ").map(String.init)

  /// Pipes are marked as this process's own only after they are made: no other child may be started
  /// in between, or it would hold them open.
  private static let starting = NSLock()

  let process: pid_t
  private let input: Int32
  let outputDescriptor: Int32
  private let output = Monitor(Drained())
  private let errors = Monitor(Drained())
  private let status = Monitor(Drained())
  private let ended = Monitor(false)

  /// Starts it.
  /// - Parameters:
  ///   - outputFile: where stdout goes, in place of a pipe that is read to its end.
  ///   - patience: a hanging program is killed after so many seconds, and its test fails by that.
  ///   - readsOutput: false leaves the pipe unread until ``readOutput()``.
  ///   - inputDescriptor: what it reads, in place of a pipe that is fed; stays the caller's to
  ///     close.
  ///   - isBlocking: false sets its ends of the pipes non-blocking, as a neighbour may.
  ///   - environment: variables beside this process's own.
  ///   - status: what the program finds as descriptor 3: a pipe that is read, or one that the
  ///     caller has.
  init(
    _ arguments: [String], executable: String = path, outputFile: String? = nil,
    readsOutput: Bool = true, inputDescriptor: Int32? = nil, isBlocking: Bool = true,
    patience: UInt32 = 100,
    environment: [String: String] = [:], status: Status = .none
  ) throws {
    signal(SIGPIPE, SIG_IGN)
    Self.starting.lock()
    defer { Self.starting.unlock() }
    let stdin = try Self.pipe()
    let stdout = try Self.pipe()
    let stderr = try Self.pipe()
    if !isBlocking {
      for end in [stdin.read, stdout.write, stderr.write] {
        _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK)
      }
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, inputDescriptor ?? stdin.read, 0)
    if let outputFile {
      posix_spawn_file_actions_addopen(&actions, 1, outputFile, O_WRONLY, 0)
    } else {
      posix_spawn_file_actions_adddup2(&actions, stdout.write, 1)
    }
    posix_spawn_file_actions_adddup2(&actions, stderr.write, 2)
    let statusPipe =
      if case .read = status { try Self.pipe() } else { (read: Int32(-1), write: Int32(-1)) }
    switch status {
    case .none: break
    case .read: posix_spawn_file_actions_adddup2(&actions, statusPipe.write, 3)
    case .descriptor(let descriptor): posix_spawn_file_actions_adddup2(&actions, descriptor, 3)
    }
    var words: [UnsafeMutablePointer<CChar>?] =
      ([executable] + arguments + (executable == Self.path ? Self.furtherOptions : []))
      .map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    let surroundings = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    var variables: [UnsafeMutablePointer<CChar>?] =
      surroundings.map { strdup("\($0)=\($1)") } + [nil]
    defer { for variable in variables { free(variable) } }
    // As a shell starts it: no signal blocked or ignored, whatever this thread has.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var started = pid_t()
    let failure = posix_spawn(&started, executable, &actions, &attributes, &words, &variables)
    for descriptor in [stdin.read, stdout.write, stderr.write] { close(descriptor) }
    if statusPipe.write >= 0 { close(statusPipe.write) }
    guard failure == 0 else {
      throw Unstarted(description: "\(executable): \(String(cString: strerror(failure)))")
    }
    process = started
    input = stdin.write
    outputDescriptor = stdout.read
    if readsOutput { try Self.drain(stdout.read, into: output) }
    try Self.drain(stderr.read, into: errors)
    if statusPipe.read >= 0 { try Self.drain(statusPipe.read, into: self.status) }
    try PlainThread.start(name: "patience", stackByteCount: 256 << 10) { [self] in
      for _ in 0..<patience * 10 {
        usleep(100_000)
        if ended.change({ $0 }) { return }
      }
      kill(self.process, SIGKILL)
    }
  }

  enum Status {
    case none, read
    case descriptor(Int32)
  }

  private struct Drained {
    var bytes: [UInt8] = []
    var hasEnded = false
  }

  struct Unstarted: Error, CustomStringConvertible { let description: String }

  /// Runs it on the whole input.
  static func run(
    _ arguments: [String], input: [UInt8] = [], outputFile: String? = nil
  ) throws -> FilterResult {
    let filter = try FilterProcess(arguments, outputFile: outputFile)
    try PlainThread.start(name: "feeder") {
      filter.feed(input)
      filter.closeInput()
    }
    return filter.wait(hasOutput: outputFile == nil)
  }

  /// Runs a pipeline of bash; it fails where any of its programs does. `$TDM_FILTER` is the
  /// program.
  static func pipeline(_ script: String, input: [UInt8] = []) throws -> FilterResult {
    let name =
      furtherOptions.isEmpty
      ? "TDM_FILTER='\(path)'\n"
      : "filter() { '\(path)' \(furtherOptions.joined(separator: " ")) \"$@\"; }\nTDM_FILTER=filter\n"
    let filter = try FilterProcess(
      ["-o", "pipefail", "-c", name + script], executable: "/bin/bash")
    try PlainThread.start(name: "feeder") {
      filter.feed(input)
      filter.closeInput()
    }
    return filter.wait()
  }

  /// Writes to stdin; what a program that has ended no longer takes is dropped.
  /// - Returns: bytes that were not.
  @discardableResult
  func feed(_ bytes: some Collection<UInt8>) -> Int {
    let bytes = Array(bytes)
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes {
        write(input, $0.baseAddress! + written, $0.count - written)
      }
      if count < 0 { return written }
      written += count
    }
    return written
  }

  func closeInput() { close(input) }

  /// F_SETPIPE_SZ and F_GETPIPE_SZ, which Swift's Glibc does not have.
  private static let setPipeSize: Int32 = 1031
  private static let getPipeSize: Int32 = 1032

  /// Gives the pipe behind stdout the least room that there is, a page.
  func narrowOutput() { _ = fcntl(outputDescriptor, Self.setPipeSize, 4096) }

  /// Waits until that pipe has no room for so many bytes more: whoever writes them then waits.
  func waitForFullOutput(within byteCount: Int) {
    let size = Int(fcntl(outputDescriptor, Self.getPipeSize))
    for _ in 0..<100_000 {
      var held: Int32 = 0
      _ = ioctl(outputDescriptor, UInt(FIONREAD), &held)
      if Int(held) > size - byteCount { return }
      usleep(1000)
    }
  }

  /// Begins to read what it writes.
  func readOutput() throws { try Self.drain(outputDescriptor, into: output) }

  /// Bytes that were fed and that it has not taken.
  var unreadInput: Int {
    var count: Int32 = 0
    return ioctl(input, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
  }

  /// Waits until it has taken all that was fed.
  func waitForReading() {
    for _ in 0..<10_000 where unreadInput > 0 { usleep(1000) }
  }

  /// Begins to read what it writes, and tells only how much: 0 at the end.
  func readOutput(_ tell: @escaping @Sendable (Int) -> Void) throws {
    try PlainThread.start(name: "count") { [outputDescriptor] in
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = read(outputDescriptor, &buffer, buffer.count)
        if count < 0, errno == EINTR { continue }
        tell(max(count, 0))
        guard count > 0 else { break }
      }
      close(outputDescriptor)
    }
  }

  /// A number that the system tells of it while it runs, in /proc/PID/status: `Threads`, `VmRSS` in
  /// KiB.
  func status(_ field: String) throws -> Int {
    try Self.number(field, in: "/proc/\(process)/status")
  }

  private static func number(_ field: String, in path: String) throws -> Int {
    try number(field, of: String(contentsOfFile: path, encoding: .utf8))
  }

  private static func number(_ field: String, of status: String) throws -> Int {
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix(field + ":") })
    return try #require(Int(line.split(whereSeparator: { $0 == " " || $0 == "\t" })[1]))
  }

  /// The same of each of its threads but those that end while this is read.
  func threadStatus(_ field: String) throws -> [Int] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task").compactMap {
      let path = "/proc/\(process)/task/\($0)/status"
      return try (try? String(contentsOfFile: path, encoding: .utf8)).map {
        try Self.number(field, of: $0)
      }
    }
  }

  /// What it was started with, `NAME=value` each.
  func environment() throws -> [Substring] {
    let variables = try Data(contentsOf: URL(filePath: "/proc/\(process)/environ"))
    return String(decoding: variables, as: UTF8.self).split(separator: "\0")
  }

  /// Goes away as a reader.
  func closeOutput() { close(outputDescriptor) }

  func send(signal: Int32) { kill(process, signal) }

  /// Waits until so many bytes have come out, or the output ends.
  func waitForOutput(_ count: Int) {
    output.wait(until: { $0.bytes.count >= count || $0.hasEnded })
  }

  /// Waits until this text has come on stderr, or that ends.
  func waitForError(containing text: String) {
    errors.wait { $0.hasEnded || String(decoding: $0.bytes, as: UTF8.self).contains(text) }
  }

  /// The lines on descriptor 3, as soon as there are so many or no more come.
  func statusLines(atLeast count: Int = .max) -> [String] {
    status.wait(until: { drained in
      drained.hasEnded || drained.bytes.count { $0 == 0x0a } >= count
    })
    return String(decoding: status.change { $0.bytes }, as: UTF8.self).split(separator: "\n").map(
      String.init)
  }

  /// Waits for its end.
  func wait(hasOutput: Bool = true) -> FilterResult {
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
    ended.change { $0 = true }
    if hasOutput { output.wait(until: { $0.hasEnded }) }
    errors.wait(until: { $0.hasEnded })
    let signal = status & 0x7f
    return FilterResult(
      status: signal == 0 ? status >> 8 & 0xff : -signal, output: output.change { $0.bytes },
      errors: String(decoding: errors.change { $0.bytes }, as: UTF8.self))
  }

  private static func pipe() throws -> (read: Int32, write: Int32) {
    var ends: [Int32] = [0, 0]
    guard Foundation.pipe(&ends) == 0 else { throw Unstarted(description: "no pipe") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }

  private static func drain(_ descriptor: Int32, into drained: Monitor<Drained>) throws {
    try PlainThread.start(name: "drain") {
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { break }
        drained.change { $0.bytes.append(contentsOf: buffer[..<count]) }
      }
      close(descriptor)
      drained.change { $0.hasEnded = true }
    }
  }
}

/// Checks that a run ended with a status and exactly one line that says all of `parts`.
func expectFailure(
  _ result: FilterResult, _ status: ProgramStatus, saying parts: [String],
  at location: SourceLocation = #_sourceLocation
) {
  #expect(result.status == status.rawValue, "\(result.errors)", sourceLocation: location)
  #expect(result.linesBesidePlan.count == 1, "\(result.errors)", sourceLocation: location)
  #expect(result.errors.hasPrefix("tdm-filter: "), sourceLocation: location)
  for part in parts {
    #expect(result.errors.contains(part), "\(result.errors)", sourceLocation: location)
  }
}
