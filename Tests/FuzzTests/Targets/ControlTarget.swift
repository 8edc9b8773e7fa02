import ControlProtocol
import StrictJSON

/// A client's line is taken or refused in one line of JSON, which has the request's id and no
/// newline inside.
func fuzzControlLine(_ bytes: UnsafeRawBufferPointer) {
  let line: [UInt8]
  let id: JSON
  do throws(Refusal) {
    let request = try Request(Array(bytes))
    precondition(bytes.count <= Request.longestLine)
    line = Reply(to: request.id).bytes
    id = request.id
  } catch {
    line = error.line
    id = error.id
  }
  precondition(line.last == 0x0a && !line.dropLast().contains(0x0a))
  guard let reply = try? JSONParser.parse(Array(line.dropLast())).object else {
    preconditionFailure("the reply is no JSON")
  }
  precondition(reply["id"] == id)
}
