// swift-tools-version: 6.2
import PackageDescription

// The readers of what others wrote, with bytes that may be anything: a test replays them, and `make
// fuzz` builds the same targets with libFuzzer's driver.
let fuzzed: [Target.Dependency] = [
  "Video", "ModelFiles", "ControlProtocol", "StrictJSON", "TensorCore", "CZstd",
]
let fuzzing: Target =
  Context.environment["TDM_FUZZ"] == nil
  ? .testTarget(name: "FuzzTests", dependencies: fuzzed, exclude: ["Corpus", "Driver", "run.sh"])
  : .executableTarget(
    name: "tdm-fuzz", dependencies: fuzzed, path: "Tests/FuzzTests",
    exclude: ["Corpus", "ReplayTests.swift", "run.sh"])

// Dependencies point one way. Top to bottom, each target may use only those above it.
let package = Package(
  name: "tdm-filter",
  products: [
    .executable(name: "tdm-filter", targets: ["tdm-filter"]),
    .executable(name: "tdm-bench", targets: ["tdm-bench"]),
    // What a program that embeds the restorer imports.
    .library(
      name: "Restoration", targets: ["Restoration", "Kernels", "ModelFiles", "TensorCore", "Video"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.1.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
  ],
  targets: [
    // Libraries from the system.
    .systemLibrary(
      name: "CAVUtil", pkgConfig: "libavutil", providers: [.apt(["libavutil-dev"])]),
    .systemLibrary(
      name: "CSWScale", pkgConfig: "libswscale", providers: [.apt(["libswscale-dev"])]),
    .systemLibrary(name: "COneDNN", providers: [.apt(["libdnnl-dev"])]),
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),

    // What the libraries lack, in C: attention, normalization, element-wise work, each for the
    // instruction sets that pay, chosen when the program starts.
    .target(name: "CKernels", linkerSettings: [.linkedLibrary("gomp"), .linkedLibrary("m")]),
    // The packed model that works without any file beside the program, and CLIP's tokenizer.
    .target(
      name: "CEmbeddedModel",
      exclude: [
        "embedded.tdmpack", "MODEL.md", "failures.jpg", "clip-merges.txt", "CLIP-LICENSE",
      ]),

    // What Swift cannot tell the system: faults, names of threads, the sandbox.
    .target(name: "CProcess"),
    .target(name: "StrictJSON"),
    .target(name: "TensorCore"),
    .target(name: "Kernels", dependencies: ["TensorCore", "CKernels", "COneDNN", "COpenBLAS"]),
    .target(
      name: "ModelFiles", dependencies: ["TensorCore", "StrictJSON", "CZstd", "CEmbeddedModel"]),
    .target(name: "Networks", dependencies: ["TensorCore", "Kernels", "ModelFiles"]),
    .target(name: "Diffusion", dependencies: ["ModelFiles"]),
    .target(name: "Video", dependencies: ["TensorCore", "CKernels", "CAVUtil", "CSWScale"]),
    .target(
      name: "Restoration",
      dependencies: [
        "TensorCore", "Kernels", "ModelFiles", "Networks", "Diffusion",
        .product(name: "DequeModule", package: "swift-collections"),
      ]),
    .target(name: "ControlProtocol", dependencies: ["Restoration", "StrictJSON"]),
    .executableTarget(
      name: "tdm-filter",
      dependencies: [
        "ControlProtocol", "Restoration", "Video", "ModelFiles", "Kernels", "StrictJSON",
        "TensorCore", "CProcess",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "DequeModule", package: "swift-collections"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ]),
    .executableTarget(
      name: "tdm-bench",
      dependencies: [
        "Networks", "Diffusion", "Kernels", "ModelFiles", "TensorCore", "Video",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    // Small random models with what the reference computes with them, for the tests of several
    // targets.
    .target(name: "FixtureSupport", dependencies: ["TensorCore"], path: "Tests/FixtureSupport"),
    .testTarget(name: "StrictJSONTests", dependencies: ["StrictJSON"]),
    .target(name: "CAllocationCount", path: "Tests/CAllocationCount"),
    .testTarget(name: "TensorCoreTests", dependencies: ["TensorCore"]),
    // Compiled from the kernel's own source, which is no header of CKernels' interface.
    .target(
      name: "CAMXEmulation", dependencies: ["CKernels"], path: "Tests/CAMXEmulation",
      cSettings: [.headerSearchPath("../../Sources/CKernels")]),
    .testTarget(
      name: "KernelsTests", dependencies: ["Kernels", "CKernels", "CAMXEmulation", "TensorCore"]),
    .testTarget(
      name: "ModelFilesTests",
      dependencies: ["ModelFiles", "StrictJSON", "TensorCore", "CZstd", "FixtureSupport"],
      exclude: ["Fixtures"]),
    .testTarget(
      name: "NetworksTests",
      dependencies: [
        "Networks", "Kernels", "ModelFiles", "TensorCore", "FixtureSupport", "CAllocationCount",
      ]),
    .testTarget(
      name: "DiffusionTests", dependencies: ["Diffusion", "ModelFiles", "StrictJSON"]),
    .testTarget(name: "VideoTests", dependencies: ["Video", "CAVUtil"]),
    .testTarget(
      name: "ControlProtocolTests", dependencies: ["ControlProtocol", "Restoration", "StrictJSON"]),
    .testTarget(
      name: "RestorationTests",
      dependencies: [
        "Restoration", "Kernels", "ModelFiles", "Diffusion", "TensorCore", "FixtureSupport",
      ]),
    fuzzing,
    .testTarget(
      name: "CommandLineTests",
      dependencies: [
        "tdm-filter", "ControlProtocol", "StrictJSON", "Restoration", "Diffusion", "Video",
        "ModelFiles", "Kernels", "TensorCore", "FixtureSupport",
        .product(name: "Logging", package: "swift-log"),
      ]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .gnu17
)
