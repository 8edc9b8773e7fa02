import ControlProtocol
import Foundation
import ModelFiles
import Restoration
import Testing

@testable import tdm_filter

@Suite("What is documented")
struct DocumentationTests {
  private static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  private func text(_ path: String) throws -> String {
    try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
  }

  private let options = TDMFilter.longOptions

  /// The options that the man page has an entry for.
  private func documented() throws -> Set<String> {
    let entries = try text("man/tdm-filter.1").split(separator: "\n").filter {
      $0.hasPrefix(".It Fl Fl")
    }
    return Set(entries.map { "--" + $0.split(separator: " ")[3] })
  }

  @Test("in the man page are the options of --help, each, and no others")
  func manPage() throws {
    #expect(options.count > 30)
    #expect(try documented() == options)
  }

  @Test("is every option of restoration, by one name on the command line and in what is told")
  func everyOption() throws {
    // Those of one method are told with it; the model within the model, and even veils, are the
    // preset's to say.
    let properties = Set(Mirror(reflecting: RestorationOptions()).children.compactMap(\.label))
      .subtracting(["method", "zeroShot", "innerModel", "evenVeil"])
    let names = properties.map {
      $0.replacing("ControlNet", with: "Controlnet").replacing(/[A-Z]/) {
        "-" + $0.output.lowercased()
      }
    }
    #expect(options.isSuperset(of: names.map { "--" + $0 }))
    let told = try #require(RestorationOptions().json.object)
    #expect(Set(told.keys) == Set(names.map { $0.replacing("-", with: "_") }))
  }

  @Test("in the README are options that there are")
  func readme() throws {
    let named = try text("README.md").matches(of: /(?:^|[^\w-])(--[a-z][a-z-]+)/).map {
      String($0.1)
    }
    #expect(!named.isEmpty)
    for option in named { #expect(options.contains(option), "\(option)") }
  }

  @Test("in the README are the presets as they are")
  func presets() throws {
    let model = try ModelFolder.embedded()
    for preset in Preset.allCases {
      #expect(try text("README.md").contains("`\(preset.ownValues(of: model).summary)`"))
    }
  }

  @Test("in the man page, the README and the help are all exit statuses, and no others")
  func statuses() throws {
    let page = try text("man/tdm-filter.1").matches(of: /(?m)^\.It ([0-9]+)$/).map { $0.1 }
    let table = try text("README.md").split(separator: "\n| status | means |\n")[1]
      .split(separator: "\n\n")[0]
    let help = TDMFilter.configuration.discussion.split(separator: "Exit status: ")[1]
    let named = [
      "man page": page,
      // The first column may have two.
      "README": table.matches(of: /(?m)^\| ([0-9, ]+) \|/).flatMap {
        $0.1.split(separator: ", ")
      },
      "help": help.matches(of: /[0-9]+/).map { $0.0 },
    ]
    for (place, numbers) in named {
      #expect(
        numbers.compactMap { Int32($0) }.sorted() == ProgramStatus.allCases.map(\.rawValue),
        "\(place)")
    }
  }

  @Test("in the protocol's two descriptions are all events and codes")
  func protocolNames() throws {
    let (long, short) = (try text("Protocol/control.md"), try text("man/tdm-protocol.7"))
    for event in Event.Name.allCases {
      #expect(long.contains("\n| `\(event.rawValue)` |"), "\(event)")
      #expect(short.contains("\n.It Li \(event.rawValue)\n"), "\(event)")
    }
    let codes = long.split(separator: "### Codes")[1].split(separator: "\n## ")[0]
    let listed = short.split(separator: "\nCodes are\n")[1]
    for code in Refusal.Code.allCases {
      #expect(codes.contains("`\(code.rawValue)`"), "\(code)")
      #expect(listed.contains(try Regex("\\b\(code.rawValue)\\b")), "\(code)")
    }
  }

  @Test("as a unit calls the program by options that there are")
  func unit() throws {
    let unit = try text("Examples/tdm-filter-camera.service")
    let call = try #require(unit.firstMatch(of: /exec tdm-filter ([^<]*)/)).1
    let named = call.split(separator: " ").filter { $0.hasPrefix("--") }
    #expect(!named.isEmpty)
    for option in named { #expect(options.contains(String(option)), "\(option)") }
  }

  @Test("as an example is shell that a shell can read")
  func examples() throws {
    let folder = Self.root.appending(path: "Examples")
    let scripts = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { $0.hasSuffix(".sh") }
    #expect(!scripts.isEmpty)
    for script in scripts {
      let source = try text("Examples/\(script)")
      let shell = source.hasPrefix("#!/bin/bash\n") ? "bash" : "sh"
      let result = try FilterProcess.pipeline(
        "\(shell) -n '\(folder.appending(path: script).path)'")
      #expect(result.status == 0, "\(script): \(result.errors)")
    }
  }
}
