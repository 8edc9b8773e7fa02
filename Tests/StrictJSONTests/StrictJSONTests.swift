import StrictJSON
import Testing

@Suite("JSON")
struct StrictJSONTests {
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

  @Test("what Python writes for infinities and none is read where it is asked for")
  func pythonNumbers() throws {
    func parse(_ text: String) throws -> JSON {
      try JSONParser.parse(Array(text.utf8), numbers: .any)
    }
    #expect(
      try parse("[-Infinity,Infinity, 1]")
        == .array([.number(-.infinity), .number(.infinity), .integer(1)]))
    #expect(try parse("NaN").real?.isNaN == true)
    for text in ["-NaN", "+Infinity", "Inf", "-Infinit", "Infinity1", "nan", "--Infinity"] {
      #expect(throws: JSONError.self, "\(text)") { try parse(text) }
    }
  }

  @Test("text that is nested too deeply, or holds too many values, is refused")
  func limits() throws {
    let limits = JSONParser.Limits(depth: 3, values: 4)
    func parse(_ text: String) throws -> JSON {
      try JSONParser.parse(Array(text.utf8), limits: limits)
    }
    #expect(try parse("[[1]]") == .array([.array([.integer(1)])]))
    #expect(throws: JSONError.self) { try parse("[[[1]]]") }
    #expect(try parse("[1,2,3]") == .array([.integer(1), .integer(2), .integer(3)]))
    #expect(throws: JSONError.self) { try parse("[1,2,3,4]") }
    // What a client may send: it must end at the limit, not at the stack's end.
    #expect(throws: JSONError.self) { try parse(String(repeating: "[", count: 1 << 20)) }
  }

  @Test("text that is written is read back as it was, and is one line")
  func written() throws {
    let value = JSON.object([
      "b": .array([.null, .bool(true), .integer(.min), .number(-0.125), .number(1e300)]),
      "a": .string("\u{0}\n\r\t\"\\/\u{1f}\u{7f}\u{2028}é😀"), "": .object([:]), "c": .array([]),
    ])
    #expect(!value.text.contains { $0.isNewline && $0 != "\u{2028}" })
    #expect(try JSONParser.parse(Array(value.text.utf8)) == value)
    #expect(JSON.object(["b": .integer(1), "a": .integer(2)]).text == #"{"a":2,"b":1}"#)
  }

  @Test("a line has its members in the order they were given, and leaves out what there is not")
  func line() {
    var line = JSONLine()
    line.add("z", .integer(1))
    line.add("y", nil)
    line.add("a\"", .string("x"))
    #expect(String(decoding: line.finished, as: UTF8.self) == "{\"z\":1,\"a\\\"\":\"x\"}\n")
    #expect(String(decoding: JSONLine().finished, as: UTF8.self) == "{}\n")
  }
}
