import ControlProtocol
import Foundation
import StrictJSON
import Testing

@testable import tdm_filter

/// A JSON line of the program's.
struct Message {
  let text: String
  let json: JSON

  init(_ text: String) throws {
    self.text = text
    json = try JSONParser.parse(Array(text.utf8))
  }

  subscript(key: String) -> JSON? { json.object?[key] }
  var event: String? { self["event"]?.string }

  /// The preset and the options that it tells, as another run is given them.
  var arguments: [String] {
    var arguments = ["--preset", self["preset"]?.string ?? ""]
    for (name, value) in self["options"]?.object ?? [:] {
      let option = "--" + name.replacing("_", with: "-")
      switch value {
      case .bool(let isOn): arguments += isOn ? [option] : []
      case .string(let text): arguments += [option, text]
      default: arguments += [option, value.text]
      }
    }
    return arguments
  }

  /// Whether this is what a transcript's message describes.
  func matches(_ pattern: JSON) -> Bool { Self.matches(json, pattern) }

  private static func matches(_ value: JSON, _ pattern: JSON) -> Bool {
    switch (value, pattern) {
    case (.integer(let number), .string("<integer>")): number >= 0
    case (.integer(let number), .string("<number>")): number >= 0
    case (.number(let number), .string("<number>")): number >= 0
    case (.string(let text), .string("<string>")): !text.isEmpty
    case (.number(let a), .integer(let b)): a == Double(b)
    case (.array(let a), .array(let b)):
      a.count == b.count && zip(a, b).allSatisfy { matches($0, $1) }
    case (.object(let a), .object(let b)):
      a.keys == b.keys && a.allSatisfy { matches($1, b[$0]!) }
    default: value == pattern
    }
  }

  /// Holds messages against the schema that is published with the protocol, by Python's jsonschema.
  static func expectValid(
    _ lines: [String], as definition: String, at location: SourceLocation = #_sourceLocation
  ) throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let schema = folder.appending(path: "Protocol/control.schema.json").path
    let script = """
      import json, sys, jsonschema
      whole = json.load(open(sys.argv[1]))
      jsonschema.Draft202012Validator.check_schema(whole)
      schema = {"$schema": whole["$schema"], "$ref": "#/$defs/" + sys.argv[2], "$defs": whole["$defs"]}
      validator = jsonschema.Draft202012Validator(schema)
      for line in sys.stdin:
          for error in validator.iter_errors(json.loads(line)):
              sys.exit(f"{line}{error}")
      """
    // Debian's own Python, for which .ci/setup installs jsonschema.
    let process = try FilterProcess(
      ["-c", script, schema, definition], executable: "/usr/bin/python3")
    process.feed(Array((lines.joined(separator: "\n") + "\n").utf8))
    process.closeInput()
    let result = process.wait()
    #expect(result.status == 0, "\(result.errors)", sourceLocation: location)
  }
}
