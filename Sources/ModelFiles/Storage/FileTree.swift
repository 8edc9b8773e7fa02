import Glibc
import Synchronization

/// Where a model's files lie: a folder, a packed model, or a checkpoint that stands for a folder.
/// Paths are relative, with `/`.
protocol FileTree: Sendable {
  /// What errors call it.
  var name: String { get }

  /// What errors call a file of the tree.
  func place(_ path: String) -> String

  /// - Returns: nil where there is no such file.
  func file(_ path: String) throws(ModelError) -> StoredFile?

  /// The names of the files in a folder, sorted; none where there is no such folder.
  func names(in folder: String) -> [String]

  /// The weights of a part, checked for form.
  /// - Parameter folder: the part's own; empty for the tree's root.
  func weights(of part: ModelPart, in folder: String) throws(ModelError) -> Checkpoint
}

extension FileTree {
  func weights(of part: ModelPart, in folder: String) throws(ModelError) -> Checkpoint {
    try PartWeights.checkpoint(
      part, in: folder.isEmpty ? self : Subtree(base: self, folder: folder))
  }

  func place(_ path: String) -> String { "\(name)/\(path)" }

  func required(_ path: String, _ advice: String) throws(ModelError) -> StoredFile {
    guard let file = try file(path) else {
      throw ModelError("\(place(path)): missing: \(advice)")
    }
    return file
  }
}

/// A folder of the file system. A file that was asked for stays open, and is the same one when it
/// is asked for again: what a device made of its weights then serves once more, also when nothing
/// may be opened any more. One that was not there stays missing.
struct DirectoryTree: FileTree {
  let name: String
  private let opened = OpenedFiles()

  init(name: String) { self.name = name }

  func file(_ path: String) throws(ModelError) -> StoredFile? {
    try opened.file(place(path)).map(StoredFile.init)
  }

  func names(in folder: String) -> [String] {
    guard let directory = opendir(folder.isEmpty ? name : place(folder)) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}

/// The files of a folder that are open; nil for those that are not there.
private final class OpenedFiles: Sendable {
  private let files = Mutex<[String: ReadFile?]>([:])

  func file(_ path: String) throws(ModelError) -> ReadFile? {
    if let known = files.withLock({ $0[path] }) { return known }
    let file = try ReadFile.open(path)
    files.withLock { $0[path] = .some(file) }
    return file
  }
}

/// A tree seen from one of its folders.
struct Subtree: FileTree {
  let base: any FileTree
  let folder: String

  var name: String { base.place(folder) }
  func place(_ path: String) -> String { base.place("\(folder)/\(path)") }
  func file(_ path: String) throws(ModelError) -> StoredFile? { try base.file("\(folder)/\(path)") }
  func names(in folder: String) -> [String] {
    base.names(in: path(of: folder))
  }
  func weights(of part: ModelPart, in folder: String) throws(ModelError) -> Checkpoint {
    try base.weights(of: part, in: path(of: folder))
  }
  private func path(of folder: String) -> String {
    folder.isEmpty ? self.folder : "\(self.folder)/\(folder)"
  }
}

/// What lies at a path.
enum PathKind {
  /// `other` also where it cannot be told, which is told when it is opened.
  case nothing, folder, other

  init(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      self = errno == ENOENT || errno == ENOTDIR ? .nothing : .other
      return
    }
    self = status.st_mode & S_IFMT == S_IFDIR ? .folder : .other
  }
}
