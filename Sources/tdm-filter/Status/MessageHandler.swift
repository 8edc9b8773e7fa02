import Logging

/// Brings log messages to stderr, as the lines that a person reads.
struct MessageHandler: LogHandler {
  var logLevel: Logger.Level
  var metadata: Logger.Metadata = [:]
  var metadataProvider: Logger.MetadataProvider?
  private let messages: Messages

  init(_ messages: Messages, level: Logger.Level) {
    self.messages = messages
    logLevel = level
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var line = "\(event.message)"
    let all = metadata.merging(event.metadata ?? [:]) { $1 }
    for (key, value) in all.sorted(by: { $0.key < $1.key }) { line += ", \(key) \(value)" }
    switch event.level {
    case .trace, .debug: messages.offer("\(event.level): \(line)")
    case .info, .notice: messages.offer(line)
    case .warning: messages.offer("warning: \(line)")
    case .error, .critical: messages.deliver(line)
    }
  }
}
