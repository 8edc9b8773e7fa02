import Kernels
import ModelFiles
import Restoration
import TensorCore
import Video

/// Why the program ends early: one line for a person, one number for a script.
struct Failure: Error, CustomStringConvertible {
  let status: ProgramStatus
  let description: String

  /// - Parameter line: what, where, expected, found, and what to do. Line breaks become spaces: one
  ///   line is one line.
  init(_ status: ProgramStatus, _ line: String) {
    self.status = status
    description = line.split(whereSeparator: \.isNewline).joined(separator: " ")
  }
}

extension Failure {
  /// The one way from the libraries' errors to an exit status.
  init(_ error: any Error) {
    switch error {
    case let failure as Failure: self = failure
    case is Quit: self.init(.terminated, "a client sent quit: frames in progress are lost")
    case let error as VideoError: self.init(Self.status(of: error.kind), error.description)
    case let error as ModelError:
      if error.isOutOfMemory {
        self.init(outOfMemory: error.description)
      } else {
        self.init(.unfitModel, error.description)
      }
    case let error as OptionError: self.init(.usage, error.description)
    case let error as OutOfMemory: self.init(outOfMemory: error.description)
    case let error as InsufficientMemory: self.init(.insufficientMemory, error.description)
    case let error as KernelError:
      switch error.cause {
      case .device: self.init(.internalFault, error.description)
      case .outOfMemory: self.init(outOfMemory: error.description)
      case .unreadableWeights: self.init(.unfitModel, error.description)
      }
    default: self.init(.internalFault, "\(error)")
    }
  }

  /// What was planned within --memory is refused by the system all the same.
  init(outOfMemory line: String) {
    self.init(
      .internalFault,
      "\(line): leave it more, or give smaller frames, or less of --fusion, --history, --chunk, --lookahead or --radius"
    )
  }

  private static func status(of kind: VideoError.Kind) -> ProgramStatus {
    switch kind {
    case .usage: .usage
    case .badStream: .badStream
    case .transfer: .inputOutput
    case .readerGone: .readerGone
    case .fault: .internalFault
    }
  }
}

/// A client wants the end at once.
struct Quit: Error {}
