import StrictJSON

/// Reads one of diffusers' or transformers' JSON configurations: what is missing has the class's
/// default, what cannot be run is refused by name.
struct ConfigReader {
  let file: String
  let members: [String: JSON]

  init(_ file: StoredFile) throws(ModelError) {
    self.init(file: file.name, members: try file.object())
  }

  init(file: String, members: [String: JSON]) {
    self.file = file
    self.members = members
  }

  func error(_ key: String, expected: String, _ advice: String = "") -> ModelError {
    ModelError(
      "\(file): \(key): expected \(expected), found \(members[key]?.summary ?? "none")"
        + (advice.isEmpty ? "" : ": \(advice)"))
  }

  /// The value, where the key is there and not null.
  private func value(_ key: String) -> JSON? {
    let value = members[key]
    return value == .null ? nil : value
  }

  func isNull(_ key: String) -> Bool { members[key] == .null }

  func int(
    _ key: String, default standard: Int, in range: ClosedRange<Int> = 1...65536
  ) throws(ModelError) -> Int {
    guard let value = members[key] else { return standard }
    guard let number = Self.whole(value), range.contains(number) else {
      throw error(key, expected: Self.show(range))
    }
    return number
  }

  /// A number for all blocks, or one for each.
  func intPerBlock(
    _ key: String, default standard: Int, count: Int, in range: ClosedRange<Int> = 1...65536
  ) throws(ModelError) -> [Int] {
    guard case .array(let values)? = members[key] else {
      return Array(repeating: try int(key, default: standard, in: range), count: count)
    }
    let numbers = values.compactMap(Self.whole).filter(range.contains)
    guard numbers.count == values.count, numbers.count == count else {
      throw error(key, expected: "\(Self.show(range)), or a list of \(count)")
    }
    return numbers
  }

  func ints(
    _ key: String, default standard: [Int], in range: ClosedRange<Int> = 1...65536
  ) throws(ModelError) -> [Int] {
    guard let value = members[key] else { return standard }
    let numbers = value.array?.compactMap(Self.whole).filter(range.contains) ?? []
    guard numbers.count == value.array?.count, (1...16).contains(numbers.count) else {
      throw error(key, expected: "a list of 1 to 16 numbers, each \(Self.show(range))")
    }
    return numbers
  }

  /// - Parameter null: what null stands for; without it null is refused.
  func double(
    _ key: String, default standard: Double, null: Double? = nil, atLeast least: Double = -1e6
  ) throws(ModelError) -> Double {
    guard let value = members[key] else { return standard }
    if value == .null, let null { return null }
    guard let number = value.real, number >= least, number <= 1e6 else {
      throw error(key, expected: least > -1e6 ? "a number from \(least)" : "a number")
    }
    return number
  }

  /// Numbers from `least`, as many as `count`.
  func floats(
    _ key: String, default standard: [Float], count: Int, atLeast least: Double
  ) throws(ModelError) -> [Float] {
    guard let value = members[key] else { return standard }
    let numbers = value.array?.compactMap(\.real).filter { (least...1e6).contains($0) } ?? []
    guard numbers.count == value.array?.count, numbers.count == count else {
      throw error(key, expected: "a list of \(count) numbers, each from \(least)")
    }
    return numbers.map { Float($0) }
  }

  /// Null is false, as diffusers has it, which asks for nothing but truth.
  func bool(_ key: String, default standard: Bool) throws(ModelError) -> Bool {
    guard let value = members[key] else { return standard }
    if value == .null { return false }
    guard case .bool(let flag) = value else { throw error(key, expected: "true or false") }
    return flag
  }

  /// One of the cases, by diffusers' name.
  func choice<T: RawRepresentable & CaseIterable>(
    _ key: String, default standard: T
  ) throws(ModelError) -> T where T.RawValue == String {
    guard let value = members[key] else { return standard }
    guard let text = value.string, let choice = T(rawValue: text) else {
      throw error(key, expected: Self.list(T.allCases.map(\.rawValue)))
    }
    return choice
  }

  func choices<T: RawRepresentable & CaseIterable>(
    _ key: String, default standard: [T]
  ) throws(ModelError) -> [T] where T.RawValue == String {
    guard let value = members[key] else { return standard }
    let choices = value.array?.compactMap { $0.string.flatMap(T.init(rawValue:)) } ?? []
    guard choices.count == value.array?.count, (1...16).contains(choices.count) else {
      throw error(
        key, expected: "a list of 1 to 16 of \(Self.list(T.allCases.map(\.rawValue)))")
    }
    return choices
  }

  /// Refuses the part unless the option is missing or one of `values`, of which null is taken for
  /// false: the networks do nothing else.
  func require(_ key: String, oneOf values: JSON...) throws(ModelError) {
    guard var value = members[key] else { return }
    if value == .null, values.contains(.bool(false)) { value = .bool(false) }
    let number = value.real
    guard values.contains(where: { $0 == value || (number != nil && $0.real == number) })
    else {
      throw error(key, expected: Self.list(values.map(\.summary)), "nothing else is supported")
    }
  }

  /// As `require`, for options that may be a list with a value for each block.
  func requireEach(_ key: String, _ value: JSON) throws(ModelError) {
    if case .array(let values)? = members[key], values.allSatisfy({ $0 == value }) { return }
    try require(key, oneOf: value)
  }

  /// Refuses a configuration that describes another class.
  func requireClass(
    _ part: ModelPart, of family: ModelFamily = .stableDiffusion
  ) throws(ModelError) {
    guard let value = value("_class_name") else { return }
    let names = part.classNames(of: family)
    guard let name = value.string, names.contains(name) else {
      throw error(
        "_class_name", expected: Self.list(names),
        "no other \(part.rawValue) is supported")
    }
  }

  func requireCount(_ key: String, _ count: Int, as other: String, _ expected: Int)
    throws(ModelError)
  {
    guard count == expected else {
      throw ModelError(
        "\(file): \(key): expected \(expected) entries as in \(other), found \(count)")
    }
  }

  func requireDivisible(
    _ key: String, _ number: Int, by other: String, _ divisor: Int
  ) throws(ModelError) {
    guard number % divisor == 0 else {
      throw ModelError(
        "\(file): \(key): expected multiples of \(other) \(divisor), found \(number)")
    }
  }

  /// Python writes whole floats for some numbers: 1.0 is 1.
  private static func whole(_ value: JSON) -> Int? {
    switch value {
    case .integer(let number): number
    case .number(let number): Int(exactly: number)
    default: nil
    }
  }

  private static func show(_ range: ClosedRange<Int>) -> String {
    "a whole number from \(range.lowerBound) to \(range.upperBound)"
  }

  static func list(_ values: [String]) -> String {
    values.count < 2
      ? values.joined() : values.dropLast().joined(separator: ", ") + " or " + values.last!
  }
}
