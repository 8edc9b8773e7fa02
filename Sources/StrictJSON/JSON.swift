/// A JSON value (RFC 8259). No object holds a key twice: such a text is refused.
package enum JSON: Equatable, Sendable {
  case null
  case bool(Bool)
  /// A number without fraction and exponent that fits an `Int`.
  case integer(Int)
  /// Every other number.
  case number(Double)
  case string(String)
  case array([JSON])
  case object([String: JSON])

  /// What a user would call it, for errors.
  package var summary: String {
    switch self {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .string(let value): value.quoted
    case .array(let values):
      values.count > 8
        ? "a list of \(values.count)"
        : "[" + values.map(\.summary).joined(separator: ", ") + "]"
    case .object: "an object"
    }
  }

  package var string: String? {
    if case .string(let value) = self { value } else { nil }
  }

  package var integer: Int? {
    if case .integer(let value) = self { value } else { nil }
  }

  /// Of either kind of number.
  package var real: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  package var object: [String: JSON]? {
    if case .object(let value) = self { value } else { nil }
  }

  package var array: [JSON]? {
    if case .array(let value) = self { value } else { nil }
  }
}
