// swift-tools-version: 6.1

import PackageDescription

/// A library target under `Sources/`, with what it may import (arrows point only downwards; see
/// `docs/layout.md`).
func library(
  _ name: String, _ imports: [Target.Dependency] = [], linking: [LinkerSetting] = []
) -> Target {
  .target(name: name, dependencies: imports, linkerSettings: linking)
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
    dependencies: [
      "Checkpoints", "Distillation", "Evaluation", "Experiments", "Files", "KeySteps", "Parameters",
      "Randomness", "Recipes", "Reasoning", "Tokenizers",
    ],
    path: "experiments/\(name)",
    exclude: ["README.md"])
}

/// The folders under `experiments/`.
let experiments = [
  "adapter-spectrum", "alignment-granularity", "baselines", "big-bench-hard", "components",
  "data-size", "dose", "key-step-ratio", "key-token-validity", "mistake-kinds",
  "mistake-or-consequence", "student-size", "token-rules",
]

let package = Package(
  name: "KeyStep",
  platforms: [.macOS(.v15)],
  products: [
    "Files", "Parameters", "Randomness", "KeySteps", "LinearAlgebra", "Statistics", "Checkpoints",
    "Tokenizers", "ChatTemplates",
    "LanguageModel", "Reasoning", "Teachers", "Distillation", "Evaluation", "Experiments",
    "Reports", "Recipes",
  ].map { .library(name: $0, targets: [$0]) },
  targets: [
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas",
      providers: [.apt(["libopenblas-dev", "liblapacke-dev"]), .brew(["openblas"])]),
    .systemLibrary(
      name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
    library("CKernels"),
    library("COneDNN"),
    library("Files", ["CZlib"]),
    library("Parameters"),
    library("Randomness"),
    library("KeySteps"),
    // Debian has LAPACKE in a library of its own, Homebrew in OpenBLAS.
    library(
      "LinearAlgebra", ["COpenBLAS", "COneDNN", "CKernels"],
      linking: [.linkedLibrary("lapacke", .when(platforms: [.linux]))]),
    library("Statistics", ["LinearAlgebra", "Randomness"]),
    library("Checkpoints", ["Files"]),
    library("Tokenizers", ["Files", "Checkpoints"]),
    library("ChatTemplates", ["Files", "Checkpoints"]),
    library(
      "LanguageModel", ["LinearAlgebra", "CKernels", "Checkpoints", "Files", "Randomness"]),
    library("Reasoning", ["Files", "KeySteps", "Randomness"]),
    library("Teachers", ["Files", "Reasoning", "Randomness"]),
    library(
      "Distillation",
      [
        "LanguageModel", "LinearAlgebra", "CKernels", "Checkpoints", "ChatTemplates", "Tokenizers",
        "Reasoning", "KeySteps", "Files", "Parameters", "Randomness",
      ]),
    library(
      "Evaluation",
      [
        "Distillation", "LanguageModel", "LinearAlgebra", "Tokenizers", "Reasoning", "KeySteps",
        "Statistics", "Files", "Randomness",
      ]),
    library("Experiments", ["Files", "Parameters", "Statistics"]),
    library(
      "Reports",
      [
        "Experiments", "Evaluation", "Distillation", "LanguageModel", "Tokenizers", "Reasoning",
        "KeySteps", "Statistics", "Files", "Randomness",
      ]),
    library(
      "Recipes",
      [
        "Experiments", "Reports", "Evaluation", "Teachers", "Distillation", "LanguageModel",
        "LinearAlgebra",
        "Checkpoints", "Tokenizers", "Reasoning", "KeySteps", "Statistics", "Files", "Parameters",
        "Randomness",
      ]),

    .target(name: "TestSupport", dependencies: ["Randomness"], path: "Tests/TestSupport"),
    tests("Files"),
    tests("Parameters"),
    tests("Randomness"),
    tests("KeySteps", ["Randomness"]),
    tests("LinearAlgebra", ["Randomness"]),
    tests("Statistics", ["Randomness"]),
    tests("Checkpoints", ["Files", "Randomness"]),
    tests("ChatTemplates", ["Files"]),
    tests("Tokenizers", ["Checkpoints", "Files", "Randomness"]),
    tests("LanguageModel", ["CKernels", "Checkpoints", "Files", "LinearAlgebra", "Randomness"]),
    tests("Reasoning", ["Files", "Randomness"]),
    tests("Teachers", ["Files", "Randomness", "Reasoning"]),
    tests(
      "Distillation",
      [
        "ChatTemplates", "Checkpoints", "Files", "KeySteps", "LanguageModel", "Parameters",
        "Randomness",
        "Reasoning", "Tokenizers",
      ]),
    tests(
      "Evaluation",
      [
        "Checkpoints", "Distillation", "KeySteps", "LanguageModel", "LinearAlgebra", "Randomness",
        "Reasoning", "Statistics", "Tokenizers",
      ]),
    tests("Experiments", ["Files", "Parameters", "Statistics"]),
    tests(
      "Recipes",
      [
        "Checkpoints", "Distillation", "Experiments", "Files", "LanguageModel", "Parameters",
        "Reasoning", "Teachers", "Tokenizers",
      ]),
    tests(
      "Reports",
      [
        "Checkpoints", "Distillation", "Evaluation", "Experiments", "Files", "KeySteps",
        "LanguageModel", "Reasoning", "Statistics", "Tokenizers",
      ]),
  ]
)
package.targets += experiments.map(experiment)
package.targets.append(
  // Uses the libraries as another package would. It copies a model's configuration, so it depends on
  // Checkpoints too: else an incremental build keeps an object with the configuration's old layout.
  .executableTarget(
    name: "train-a-student",
    dependencies: [
      "Checkpoints", "Distillation", "Files", "LanguageModel", "Randomness", "Reasoning",
    ],
    path: "examples/train-a-student", packageAccess: false))

package.targets.append(
  .executableTarget(
    name: "torture", dependencies: ["TestSupport"], path: "benchmarks/torture"))

/// Everything that needs other packages: the command with its teachers behind endpoints, and the benchmarks. With
/// `KEYSTEP_WITHOUT_COMMAND=1` a build neither fetches nor compiles them; experiments need none.
if Context.environment["KEYSTEP_WITHOUT_COMMAND"] == nil {
  package.products.append(.executable(name: "keystep", targets: ["keystep"]))
  package.dependencies += [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-log.git", from: "1.14.0"),
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(
      url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1", traits: []),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
  ]
  package.targets += [
    .target(
      name: "Annotation",
      dependencies: [
        "Teachers", "Distillation", "Reasoning", "LanguageModel", "Checkpoints", "Tokenizers",
        "KeySteps", "Files", "Randomness",
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "Mustache", package: "swift-mustache"),
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
      ]),
    .target(
      name: "Serving",
      dependencies: [
        "ChatTemplates", "Distillation", "LanguageModel", "LinearAlgebra", "Tokenizers", "Files",
        "Randomness",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
      ]),
    .executableTarget(
      name: "keystep",
      dependencies: [
        "Annotation", "Serving", "Recipes", "Reports", "Experiments", "Evaluation", "Teachers",
        "Distillation", "LanguageModel", "LinearAlgebra", "ChatTemplates", "Checkpoints",
        "Tokenizers", "Reasoning", "KeySteps", "Statistics", "Files", "Parameters", "Randomness",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(
      name: "keystep-bench",
      dependencies: [
        "Recipes", "Experiments", "Evaluation", "Teachers", "Distillation", "LanguageModel",
        "LinearAlgebra", "Checkpoints", "Tokenizers", "Reasoning", "KeySteps", "Files",
        "Randomness",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "benchmarks/keystep-bench"),
    .executableTarget(
      name: "fuzz",
      dependencies: [
        "Serving", "Annotation", "Reports", "Experiments", "Teachers", "Distillation",
        "LanguageModel", "ChatTemplates", "Checkpoints", "Tokenizers", "Reasoning", "Parameters",
        "Files", "Randomness",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Tests/Fuzzing"),
    .executableTarget(
      name: "coverage",
      dependencies: [
        "Statistics", "Randomness",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "benchmarks/coverage"),
    tests(
      "Annotation",
      [
        "Distillation", "Files", "LanguageModel", "Reasoning", "Teachers",
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ]),
    tests(
      "Serving",
      [
        "ChatTemplates", "Checkpoints", "Distillation", "Files", "LanguageModel", "Randomness",
        "Tokenizers",
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "NIOCore", package: "swift-nio"),
      ]),
    .testTarget(
      name: "CommandLineTests",
      dependencies: (["Checkpoints", "keystep", "fuzz", "train-a-student", "TestSupport"]
        + experiments).map {
          .target(name: $0)
        }),
  ]
}
