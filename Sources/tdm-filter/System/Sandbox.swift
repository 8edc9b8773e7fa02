import CProcess
import Glibc

/// What the process gives up while it runs, so that a fault in it that a hostile stream finds leads
/// nowhere: all it has are the descriptors that are open.
///
/// From the start nothing is written but stdout (Landlock, version 1 and later); once the model is
/// loaded nothing is opened, connected or started either (seccomp). A kernel without one of them
/// runs without it.
enum Sandbox: String, CaseIterable, Sendable {
  case auto, off

  /// To be called once, before any other thread is started: threads inherit what is given up.
  /// - Parameter socketFolder: where a socket is to be removed at the end.
  /// - Returns: what is to be told where the kernel refuses; nil where all is given up.
  func forbidChanges(besides socketFolder: String? = nil) -> String? {
    guard self == .auto else { return nil }
    return Self.explained(tdm_forbid_changes(socketFolder), "Landlock", "files can be written")
  }

  /// Once everything is open that ever has to be. Counts for all threads.
  /// - Parameter keepsRemoving: whether files may be removed where ``forbidChanges(besides:)`` left
  ///   it.
  /// - Returns: as ``forbidChanges(besides:)``.
  func forbidOpenings(keepsRemoving: Bool = false) -> String? {
    guard self == .auto else { return nil }
    return Self.explained(
      tdm_forbid_openings(keepsRemoving ? 1 : 0), "seccomp",
      "files can be opened and connections made")
  }

  private static func explained(_ status: Int32, _ means: String, _ risk: String) -> String? {
    status == 0
      ? nil
      : "no sandbox by \(means) (\(String(cString: strerror(-status)))): \(risk); --sandbox off leaves this line out"
  }
}
