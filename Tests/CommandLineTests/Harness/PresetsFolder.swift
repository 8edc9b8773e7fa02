import Foundation

/// Calls `body` with the folder of a model of which there is only what it says of the presets.
func withPresets<R>(_ json: String, _ body: (_ path: String) throws -> R) throws -> R {
  let folder = FileManager.default.temporaryDirectory.appending(path: "tdm-\(UUID())")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  try Data("{}".utf8).write(to: folder.appending(path: "model_index.json"))
  try Data(json.utf8).write(to: folder.appending(path: "presets.json"))
  return try body(folder.path)
}
