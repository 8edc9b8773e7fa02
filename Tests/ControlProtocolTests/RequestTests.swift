import Restoration
import StrictJSON
import Testing

@testable import ControlProtocol

@Suite("A client's request")
struct RequestTests {
  private func read(_ line: String) throws -> Request { try Request(Array(line.utf8)) }

  private func refusal(_ line: String) -> Refusal? {
    #expect(throws: Refusal.self) { try read(line) }
  }

  @Test("is one of the commands, with the id that the reply repeats")
  func commands() throws {
    let commands: [(String, Request.Command)] = [
      ("ping", .ping), ("get", .get), ("stats", .stats), ("pause", .pause), ("resume", .resume),
      ("drain", .drain), ("quit", .quit), ("observe", .observe(Set(Event.Name.allCases))),
    ]
    for (name, command) in commands {
      let request = try read(#"{"id": 7, "command": "\#(name)"}"#)
      #expect(request.command == command && request.id == .integer(7))
    }
    #expect(try read(#"{"command":"ping"}"#).id == .null)
    let some = try read(#"{"command":"observe","events":["end","late"]}"#)
    #expect(some.command == .observe([.end, .late]))
  }

  @Test("changes what it names, and clears what it gives as null")
  func changes() throws {
    var expected = OptionChange()
    expected.task = .superres
    expected.preset = .live
    expected.prompt = .cleared
    expected.strength = .given(0.5)
    expected.guidance = .cleared
    expected.amount = .given(2)
    expected.atFrame = 12
    let line = #"""
      {"command": "set", "task": "sr", "preset": "live", "prompt": null, "strength": 0.5,
       "guidance": null, "amount": 2, "at_frame": 12}
      """#
    #expect(try read(line).command == .set(expected))
    #expect(!expected.isForAnyMethod)
    guard case .set(let amount) = try read(#"{"command":"set","amount":1}"#).command else {
      Issue.record("no change")
      return
    }
    #expect(amount.isForAnyMethod)
    var value: Double? = 3
    amount.strength.apply(to: &value)
    #expect(value == 3)
    expected.guidance.apply(to: &value)
    #expect(value == nil)
    expected.amount.apply(to: &value)
    #expect(value == 2)
  }

  @Test("that is refused is told its own id, in a line of its own")
  func refusals() throws {
    let error = try #require(refusal(#"{"id":"a\nb","command":"set","task":"defog"}"#))
    #expect(error.code == .invalidValue && error.id == .string("a\nb"))
    let line = error.line
    #expect(line.last == 0x0a && !line.dropLast().contains(0x0a))
    let reply = try #require(try JSONParser.parse(Array(line.dropLast())).object)
    #expect(reply["ok"] == .bool(false) && reply["id"] == error.id)
    #expect(reply["error"]?.object?["code"] == .string("invalid_value"))
    #expect(refusal(#"{"id":1.5,"command":"ping"}"#)?.id == .null)
    #expect(refusal(#"{"command":"dance"}"#)?.code == .unknownCommand)
    #expect(refusal(#"{"command":"set","at_frame":3}"#)?.code == .invalidRequest)
    #expect(
      refusal(#"{"command":"ping","pad":"\#(String(repeating: "x", count: 16 << 10))"}"#)?.code
        == .tooLong)
  }
}
