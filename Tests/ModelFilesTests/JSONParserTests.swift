import Testing

@testable import ModelFiles

@Suite("JSON")
struct JSONParserTests {
  private func parse(_ text: String) throws -> JSON { try JSONParser.parse(Array(text.utf8)) }

  @Test("every kind of value is read")
  func values() throws {
    #expect(
      try parse(
        #" {"a": [1, -2, 0, 1.5, 1e3, -0.25E-2], "b": {"c": null}, "d": [true, false], "e": []} "#)
        == .object([
          "a": .array([
            .integer(1), .integer(-2), .integer(0), .number(1.5), .number(1000), .number(-0.0025),
          ]),
          "b": .object(["c": .null]), "d": .array([.bool(true), .bool(false)]), "e": .array([]),
        ]))
    #expect(
      try parse(#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é""#) == .string("\"\\/\u{8}\u{C}\n\r\té😀é"))
    #expect(try parse("9223372036854775807") == .integer(.max))
    #expect(try parse("9223372036854775808") == .number(9_223_372_036_854_775_808))
  }

  @Test(
    "what is not JSON is refused",
    arguments: [
      "", " ", "nul", "True", "NaN", "Infinity", "-", "+1", "01", "1.", ".5", "1e", "1e999", "'a'",
      "\"a", "[1,]", "[1 2]", "[", "]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}",
      "{\"a\":1 \"b\":2}",
      "1 2", "\u{FEFF}1", "// x\n1", #"{"a":1,"b":2,"a":3}"#, #"{"":1,"":1}"#, "\"\t\"",
      #""\u12G4""#,
    ])
  func refused(_ text: String) {
    #expect(throws: JSONError.self) { try parse(text) }
  }
}
