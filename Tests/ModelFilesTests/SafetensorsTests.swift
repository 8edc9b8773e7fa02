import TensorCore
import Testing

@testable import ModelFiles

@Suite("Safetensors")
struct SafetensorsTests {
  private func header(_ bytes: [UInt8]) throws -> SafetensorsHeader {
    try bytes.withUnsafeBytes {
      try SafetensorsHeader(file: "x.safetensors", prefix: $0, fileSize: bytes.count)
    }
  }

  /// What a file is refused with; empty where it is accepted.
  private func refusal(_ bytes: [UInt8]) -> String {
    do {
      _ = try header(bytes)
    } catch { return "\(error)" }
    return ""
  }

  private func refusal(_ header: String, data: Int = 0) -> String {
    refusal(SafetensorsBuilder.file(header: header, data: Array(repeating: 0, count: data)))
  }

  @Test("a well-formed file gives its tensors with dtype, shape and place")
  func wellFormed() throws {
    let file = SafetensorsBuilder.file([
      SafetensorsBuilder.f32("a", [2, 3]),
      .init(name: "b", dtype: "BF16", shape: [], bytes: [0, 0]),
      .init(name: "c", dtype: "I64", shape: [1], bytes: Array(repeating: 0, count: 8)),
      .init(name: "mark", shape: [0], bytes: []),
    ])
    let header = try header(file)
    #expect(header.tensors.map(\.name) == ["a", "b", "c", "mark"])
    #expect(header.tensors.map(\.dtype) == ["F32", "BF16", "I64", "F32"])
    #expect(header.tensors.map(\.extents) == [[2, 3], [], [1], [0]])
    #expect(header.metadata == ["format": "pt"])
    #expect(header.tensors[0].range == header.dataOffset..<header.dataOffset + 24)
    #expect(header.tensors[2].range.upperBound == file.count)
    #expect(refusal("{}") == "")
    #expect(refusal("{}   ") == "")
  }

  static let malformed: [(String, Int, String)] = [
    // Structure
    ("", 0, "not valid JSON"), ("[]", 0, "should be a JSON object"), ("{", 0, "not valid JSON"),
    ("{} x", 0, "text after the value"), (#"{"a": 1}"#, 0, "tensor \"a\": expected dtype"),
    (#"{"__metadata__": {"a": 1}}"#, 0, "__metadata__ should hold strings"),
    (#"{"__metadata__": []}"#, 0, "__metadata__ should hold strings"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}"#, 4, "unknown key \"x\""),
    // The same name, the same key
    (
      #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#,
      2, "the key \"a\" stands twice"
    ),
    (
      #"{"a":{"dtype":"U8","dtype":"F32","shape":[1],"data_offsets":[0,1]}}"#, 1,
      "the key \"dtype\" stands twice"
    ),
    (
      #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\u0061":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#,
      2, "the key \"a\" stands twice"
    ),
    // Types
    (#"{"a":{"shape":[1],"data_offsets":[0,4]}}"#, 4, "dtype should be a string, found none"),
    (#"{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}"#, 4, "unknown dtype \"F31\""),
    (#"{"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}}"#, 4, "unknown dtype \"f32\""),
    // Shapes
    (#"{"a":{"dtype":"F32","data_offsets":[0,4]}}"#, 4, "shape should be a list"),
    (#"{"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}}"#, 4, "shape should be a list"),
    (
      #"{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}"#, 4,
      "whole numbers from 0, found 1.5"
    ),
    (#"{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#, 4, "whole numbers from 0"),
    (#"{"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}"#, 4, "whole numbers from 0"),
    (
      #"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4,
      "whole numbers from 0, found -1"
    ),
    (#"{"a":{"dtype":"F32","shape":[true],"data_offsets":[0,4]}}"#, 4, "whole numbers from 0"),
    (
      #"{"a":{"dtype":"F32","shape":[18446744073709551617],"data_offsets":[0,4]}}"#, 4,
      "whole numbers from 0"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}"#, 4,
      "more elements than can be counted"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[2305843009213693952,8],"data_offsets":[0,4]}}"#, 4,
      "more elements than can be counted"
    ),
    (
      #"{"a":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,4]}}"#, 4,
      "more elements than can be counted"
    ),
    // Offsets
    (#"{"a":{"dtype":"F32","shape":[1]}}"#, 4, "data_offsets should be a list"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#, 4, "two rising positions"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}"#, 8, "two rising positions"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "two rising positions"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, 4, "whole numbers from 0"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 4, "within 4 bytes of data"),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[9223372036854775804,9223372036854775807]}}"#,
      4, "within 4 bytes of data"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4,
      "takes 8 bytes, data_offsets give 4"
    ),
    (
      #"{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,4]}}"#, 4,
      "takes 2 bytes, data_offsets give 4"
    ),
    (#"{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}"#, 2, "takes 2 bytes"),
    // Coverage
    (
      #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#,
      3, "may not overlap"
    ),
    (
      #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#,
      2, "may not overlap"
    ),
    (
      #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}"#,
      3, "no holes"
    ),
    (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#, 2, "no holes"),
    (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, 2, "no holes"),
    ("{}", 1, "no holes"),
    // A tensor without elements that has some
    (
      #"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,1]}}"#, 1,
      "U8 of shape 0 takes 0 bytes, data_offsets give 1"
    ),
  ]

  @Test("a malformed header is refused, saying what was expected and found", arguments: malformed)
  func malformedHeader(_ header: String, _ data: Int, _ reason: String) {
    let message = refusal(header, data: data)
    #expect(message.hasPrefix("x.safetensors: "))
    #expect(message.contains(reason), "\(message)")
    #expect(!message.contains("\n"))
  }

  @Test("a header that is too long, or longer than the file, is refused before it is read")
  func headerLength() {
    func file(_ length: UInt64) -> [UInt8] {
      withUnsafeBytes(of: length.littleEndian, Array.init) + Array("{}".utf8)
    }
    #expect(refusal(file(100_000_001)).contains("at most 100000000 are allowed"))
    #expect(refusal(file(.max)).contains("at most 100000000 are allowed"))
    #expect(refusal(file(3)).contains("the file is cut short"))
    #expect(refusal([1, 2, 3]).contains("expected a safetensors file, found 3 bytes"))
    #expect(refusal([]).contains("found 0 bytes"))
  }

  @Test("more than 100,000 tensors are refused, as many are not")
  func tensorCount() {
    func file(_ count: Int) -> [UInt8] {
      let entries = (0..<count).map {
        "\"\($0)\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[\($0),\($0 + 1)]}"
      }
      return SafetensorsBuilder.file(
        header: "{" + entries.joined(separator: ",") + "}", data: Array(repeating: 0, count: count))
    }
    #expect(refusal(file(100_001)).contains("lists 100001 tensors, at most 100000"))
    #expect(refusal(file(1000)) == "")
  }

  @Test("text that is not UTF-8, unfinished escapes and control characters are refused")
  func encoding() {
    let entry = Array(#":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#.utf8)
    func name(_ bytes: [UInt8]) -> [UInt8] {
      SafetensorsBuilder.file(header: Array("{\"".utf8) + bytes + [0x22] + entry, data: [0])
    }
    for bad: [UInt8] in [
      [0xFF], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0x80],
      Array(#"\x"#.utf8), Array(#"\u12"#.utf8), Array(#"\ud800"#.utf8), Array(#"\udc00"#.utf8),
      Array(#"\ud800\u0041"#.utf8), [0x0A], [0x00], [0x5C, 0x6E, 0xFF],
    ] {
      #expect(refusal(name(bad)).contains("not valid JSON"), "\(bad)")
    }
    #expect(refusal(name(Array(#"\ud83d\ude00"#.utf8))) == "")
  }

  @Test("names that break lines or fill the terminal are tamed in errors")
  func namesInErrors() {
    let long = String(repeating: "n", count: 5000)
    let message = refusal(
      "{\"\\n\\u001b[31m\(long)\":{\"dtype\":\"?\",\"shape\":[],\"data_offsets\":[0,0]}}")
    #expect(message.contains("unknown dtype"))
    #expect(!message.contains("\n") && !message.contains("\u{1B}") && message.count < 400)
  }

  @Test("deep nesting and millions of values are refused without harm")
  func floods() {
    #expect(refusal(String(repeating: "[", count: 100_000)).contains("nested too deeply"))
    #expect(refusal(String(repeating: "{\"a\":", count: 100_000)).contains("nested too deeply"))
  }

  private func sample() -> [UInt8] {
    SafetensorsBuilder.file([
      SafetensorsBuilder.f32("conv_in.weight", [4, 2, 3, 3]),
      SafetensorsBuilder.f32("conv_in.bias", [4]),
      .init(
        name: "position_ids", dtype: "I64", shape: [1, 2], bytes: Array(repeating: 1, count: 16)),
    ])
  }

  @Test("a file cut short anywhere is refused")
  func truncation() {
    let file = sample()
    #expect(refusal(file) == "")
    for length in 0..<file.count {
      #expect(refusal(Array(file[..<length])) != "", "cut to \(length) bytes")
    }
    #expect(refusal(file + [0]).contains("no holes"))
  }

  @Test("a header with damaged bytes is refused or describes what lies within the file")
  func damage() throws {
    let file = sample()
    let headerSize = try header(file).dataOffset
    var random = SystemRandomNumberGenerator()
    for _ in 0..<5000 {
      var damaged = file
      var changes: [(Int, UInt8)] = []
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let change = (
          Int.random(in: 0..<headerSize, using: &random), UInt8.random(in: 0...255, using: &random)
        )
        damaged[change.0] = change.1
        changes.append(change)
      }
      guard let header = try? header(damaged) else { continue }
      var end = header.dataOffset
      for tensor in header.tensors {
        #expect(tensor.range.lowerBound == end, "\(changes)")
        end = tensor.range.upperBound
      }
      #expect(end == damaged.count, "\(changes)")
    }
  }
}
