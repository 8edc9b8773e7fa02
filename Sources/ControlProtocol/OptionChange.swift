import Restoration
import StrictJSON

/// What a client wants changed, by the names of the command line.
package struct OptionChange: Sendable, Equatable {
  /// An option that need not be given.
  package enum Setting<Value: Sendable & Equatable>: Sendable, Equatable {
    case unchanged
    /// As though it had never been given: the preset's, or the task's.
    case cleared
    case given(Value)

    package func apply(to value: inout Value?) {
      switch self {
      case .unchanged: break
      case .cleared: value = nil
      case .given(let given): value = given
      }
    }
  }

  package var task: RestorationTask?
  package var preset: Preset?
  package var prompt = Setting<String>.unchanged
  package var strength = Setting<Double>.unchanged
  package var guidance = Setting<Double>.unchanged
  package var amount = Setting<Double>.unchanged
  /// The first frame that is to be restored so; nil is the next one.
  package var atFrame: Int?

  package init() {}

  /// Numbers by their names.
  private static var numbers: KeyValuePairs<String, WritableKeyPath<Self, Setting<Double>>> {
    ["strength": \.strength, "guidance": \.guidance, "amount": \.amount]
  }
  private static var names: String {
    (["task", "preset", "prompt"] + numbers.map(\.key)).joined(separator: ", ")
  }

  /// Whether nothing is to be changed but guidance and amount.
  package var isForAnyMethod: Bool {
    var rest = self
    rest.guidance = .unchanged
    rest.amount = .unchanged
    return rest.isEmpty
  }

  private var isEmpty: Bool {
    var nothing = OptionChange()
    nothing.atFrame = atFrame
    return self == nothing
  }

  /// Reads the members of a `set`.
  /// - Parameter members: those beside `id` and `command`.
  init(_ members: [String: JSON]) throws(Refusal) {
    for (key, value) in members.sorted(by: { $0.key < $1.key }) {
      switch key {
      case "task":
        task = try Self.name(
          key, value, RestorationTask.init(name:), RestorationTask.allCases.map(\.rawValue))
      case "preset":
        preset = try Self.name(
          key, value, Preset.init(rawValue:), Preset.allCases.map(\.rawValue))
      case "prompt":
        prompt = try Self.setting(key, value, expected: "a text or null", \.string)
      case "at_frame":
        guard let frame = value.integer, frame >= 0 else {
          throw Refusal(
            .invalidValue, "at_frame: expected a frame's number from 0, found \(value.summary)")
        }
        atFrame = frame
      default:
        guard let number = Self.numbers.first(where: { $0.key == key })?.value else {
          throw Refusal(
            .invalidRequest, "\(key.quoted): expected \(Self.names) or at_frame")
        }
        self[keyPath: number] = try Self.setting(key, value, expected: "a number or null", \.real)
      }
    }
    if isEmpty {
      throw Refusal(.invalidRequest, "set: expected one of \(Self.names); found none")
    }
  }

  private static func name<Value>(
    _ key: String, _ value: JSON, _ read: (String) -> Value?, _ names: [String]
  ) throws(Refusal) -> Value {
    guard let found = value.string.flatMap(read) else {
      throw Refusal(
        .invalidValue, "\(key): expected \(names.joined(separator: ", ")); found \(value.summary)")
    }
    return found
  }

  private static func setting<Value>(
    _ key: String, _ value: JSON, expected: String, _ read: (JSON) -> Value?
  ) throws(Refusal) -> Setting<Value> {
    if value == .null { return .cleared }
    guard let found = read(value) else {
      throw Refusal(.invalidValue, "\(key): expected \(expected), found \(value.summary)")
    }
    return .given(found)
  }
}

/// A change of options that can be carried out.
package struct AcceptedChange: Sendable, Equatable {
  /// The first frame that is restored so.
  package let effectiveFrame: Int
  package let preset: Preset
  /// All of them, as they will then be.
  package let options: RestorationOptions

  package init(effectiveFrame: Int, preset: Preset, options: RestorationOptions) {
    self.effectiveFrame = effectiveFrame
    self.preset = preset
    self.options = options
  }

  package var json: JSON { .object(Dictionary(uniqueKeysWithValues: members)) }

  package func write(to line: inout JSONLine) {
    for (key, value) in members { line.add(key, value) }
  }

  private var members: [(String, JSON)] {
    [
      ("effective_frame", .integer(effectiveFrame)), ("preset", .string(preset.rawValue)),
      ("options", options.json),
    ]
  }
}
