/// How the program ends, as scripts see it. The numbers are sysexits.h's where that has one.
enum ProgramStatus: Int32, CaseIterable, Sendable {
  /// Every frame that was read has been restored and written, but for late ones that
  /// ``WhenLate`` leaves out or passes through.
  case done = 0
  /// The command line cannot be understood, or asks for what does not exist.
  case usage = 64
  /// The stream on stdin is not what it says it is. Whole frames before the fault were restored and
  /// written.
  case badStream = 65
  /// The model is missing, damaged, or of a kind that the program cannot run.
  case unfitModel = 66
  /// A fault of the program's own, or no memory or thread left for it.
  case internalFault = 70
  /// What is asked for does not fit the memory that may be used.
  case insufficientMemory = 71
  /// Reading stdin or writing stdout failed.
  case inputOutput = 74
  /// Whoever read stdout went away.
  case readerGone = 75
  /// A second SIGINT came before the frames were finished: 128 + 2, as shells count.
  case interrupted = 130
  /// A second SIGTERM (or one after the other) did, or a client's `quit`: 128 + 15.
  case terminated = 143
}
