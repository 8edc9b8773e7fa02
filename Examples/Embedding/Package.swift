// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "Embedding",
  dependencies: [.package(name: "tdm-filter", path: "../..")],
  targets: [
    .executableTarget(
      name: "Embedding", dependencies: [.product(name: "Restoration", package: "tdm-filter")])
  ],
  swiftLanguageModes: [.v6]
)
