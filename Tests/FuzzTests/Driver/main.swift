// tdm-fuzz: libFuzzer on one of the targets, which TDM_FUZZ_TARGET names. Arguments are
// libFuzzer's.
import Foundation

@_silgen_name("LLVMFuzzerRunDriver")
func runDriver(
  _ count: UnsafeMutablePointer<Int32>,
  _ words: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ target: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

nonisolated(unsafe) private var target = FuzzTarget.y4m

guard let name = ProcessInfo.processInfo.environment["TDM_FUZZ_TARGET"],
  let named = FuzzTarget(rawValue: name)
else {
  let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: " ")
  FileHandle.standardError.write(
    Data("tdm-fuzz: expected one of \(names) in TDM_FUZZ_TARGET\n".utf8))
  exit(64)
}
target = named
var count = CommandLine.argc
var words = CommandLine.unsafeArgv
exit(
  runDriver(&count, &words) { bytes, count in
    target.run(UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
  })
