// swift-tools-version: 6.1

import PackageDescription

/// A library target under `Sources/`, with what it may import (arrows point only downwards; see
/// `docs/layout.md`).
func library(_ name: String, _ imports: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: imports)
}

/// The tests of one library target; `Tests/` mirrors `Sources/`.
func tests(_ name: String, _ imports: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "\(name)Tests",
    dependencies: [.target(name: name), "TestSupport"] + imports,
    path: "Tests/\(name)Tests")
}

/// One small executable under `experiments/`, named as its folder.
func experiment(_ name: String) -> Target {
  .executableTarget(
    name: name,
    dependencies: ["Experiments"],
    path: "experiments/\(name)",
    exclude: ["README.md"])
}

/// The folders under `experiments/`.
let experiments = [
  "adapter-spectrum", "alignment-granularity", "baselines", "components", "data-size",
  "key-step-ratio", "mistake-kinds", "negative-forms", "student-size", "token-rules",
]

let package = Package(
  name: "KeyStep",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "keystep", targets: ["keystep"]),
    .library(name: "KeySteps", targets: ["KeySteps"]),
    .library(name: "LanguageModel", targets: ["LanguageModel"]),
    .library(name: "Distillation", targets: ["Distillation"]),
    .library(name: "Evaluation", targets: ["Evaluation"]),
    .library(name: "Experiments", targets: ["Experiments"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
  ],
  targets: [
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas",
      providers: [.apt(["libopenblas-dev", "liblapacke-dev"])]),
    library("CKernels"),
    library("Randomness"),
    library("Checksums"),
    library("KeySteps"),
    library("LinearAlgebra", ["COpenBLAS"]),
    library("Checkpoints"),
    library("Tokenizers", ["Checkpoints"]),
    library("LanguageModel", ["LinearAlgebra", "CKernels", "Checkpoints", "Randomness"]),
    library("Reasoning", ["KeySteps", "Randomness"]),
    library("Teachers", ["Reasoning", "Randomness"]),
    library(
      "Distillation", ["LanguageModel", "Tokenizers", "Reasoning", "KeySteps", "Randomness"]),
    library("Evaluation", ["Distillation", "LinearAlgebra", "Randomness"]),
    library(
      "Experiments",
      [
        "Distillation", "Evaluation", "Teachers", "Checksums",
      ]),
    .target(
      name: "Annotation",
      dependencies: [
        "Teachers", "Distillation", "Reasoning", "LanguageModel", "Tokenizers", "KeySteps",
        "Checksums", "Randomness",
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "Mustache", package: "swift-mustache"),
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
      ]),
    .executableTarget(
      name: "keystep",
      dependencies: [
        "Experiments", "Annotation",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(
      name: "keystep-bench",
      dependencies: [
        "Experiments",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "benchmarks/keystep-bench"),
    .executableTarget(
      name: "coverage",
      dependencies: [
        "Statistics", "LinearAlgebra", "Randomness",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "benchmarks/coverage"),

    .target(name: "TestSupport", dependencies: ["Randomness"], path: "Tests/TestSupport"),
    tests("Checksums"),
    tests("Randomness"),
    tests("KeySteps"),
    tests("LinearAlgebra", ["Randomness"]),
    tests("Checkpoints"),
    tests("Tokenizers"),
    tests("LanguageModel", ["CKernels", "Checkpoints", "LinearAlgebra", "Randomness"]),
    tests("Reasoning"),
    tests("Teachers"),
    tests(
      "Annotation",
      [
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ]),
    tests("Distillation"),
    tests("Evaluation"),
    tests("Experiments"),
    .testTarget(
      name: "CommandLineTests",
      dependencies: (["keystep", "TestSupport"] + experiments).map { .target(name: $0) }),
  ]
)
package.targets += experiments.map(experiment)
