import ArgumentParser
import Kernels
import TensorCore

/// How the program itself behaves.
struct ProgramArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What networks compute in. (default: bf16 where the processor is faster with it, else f32)",
      valueName: "type"))
  var precision: Precision?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Processors to use. (default: all that the process may run on, or what its control groups' quota is worth)",
      valueName: "N"),
    transform: wholeNumber)
  var threads: Int?

  @Flag(
    help:
      "Print what would be done, how much memory it takes and how fast it is here; restore nothing."
  )
  var dryRun = false

  @Option(
    help: ArgumentHelp(
      "For sources that do not wait, as cameras: what becomes of a frame that comes while the computing is behind: it waits, is left "
        + "out, or passes through unrestored.", valueName: "mode"))
  var whenLate: WhenLate = .wait

  @Option(
    help: ArgumentHelp(
      "auto: write no file, start no program and, once the model is loaded, open no file and connect to nothing, by Landlock and seccomp as far as the kernel has them. off: keep all rights.",
      valueName: "mode"))
  var sandbox: Sandbox = .auto

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Memory to use at most, for example 800M or 6G; pictures that do not fit are restored in tiles. (default: three quarters of "
        + "what the machine has available)", valueName: "size"), transform: byteCount)
  var memory: ByteCount?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Of that, what windows' features may take. (default: no bound of their own)",
      valueName: "size"), transform: byteCount)
  var cacheMemory: ByteCount?
}

extension Precision: ExpressibleByArgument {}
extension Sandbox: ExpressibleByArgument {}
extension WhenLate: ExpressibleByArgument {}
