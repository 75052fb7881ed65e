// swift-tools-version: 6.3
import PackageDescription

// An arrow of docs/architecture.md is a dependency here.
let package = Package(
  name: "speakerid-dist",
  products: [
    .executable(name: "speakerid-dist", targets: ["speakerid-dist"])
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    // Without its extensions of Foundation's types.
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
  ],
  targets: [
    // System libraries.
    .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "COpenMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CSndfile", pkgConfig: "sndfile", providers: [.apt(["libsndfile1-dev"])]),
    .systemLibrary(name: "CMpg123", pkgConfig: "libmpg123", providers: [.apt(["libmpg123-dev"])]),
    .systemLibrary(name: "CAffinity"),

    // C: the vector kernels and the MPI bridge, and nothing else.
    .target(
      name: "CKernels",
      cSettings: [
        .unsafeFlags(["-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast"])
      ]),
    // Nothing contracted: features are the same numbers on every processor.
    .target(
      name: "CAudioKernels", cSettings: [.unsafeFlags(["-O3", "-fno-math-errno", "-ffp-contract=off"])]),
    .target(name: "CMPIBridge", dependencies: ["COpenMPI"]),

    // Leaves.
    .target(name: "Diagnostics"),
    .target(name: "Threads"),
    // The files of configs, to which Sources/Recipes/configs is a link, as bytes of the program.
    .target(name: "Recipes", resources: [.embedInCode("configs")]),
    .target(name: "TensorFiles", dependencies: ["CZlib", "Diagnostics"]),
    .target(name: "Verification", dependencies: ["TensorFiles", "Diagnostics"]),
    .target(
      name: "TensorCore", dependencies: ["CAffinity", "CKernels", "COpenBLAS", "Threads", "Diagnostics"]),
    .target(name: "Collectives", dependencies: ["CKernels", "Diagnostics", "Threads"]),

    .target(name: "MPITransport", dependencies: ["Collectives", "CMPIBridge", "Diagnostics"]),
    .target(name: "SpeakerNet", dependencies: ["TensorCore", "TensorFiles", "Diagnostics", "Threads"]),
    .target(
      name: "Audio",
      dependencies: [
        "CAudioKernels", "CMpg123", "CSndfile", "TensorCore", "TensorFiles", "Diagnostics",
      ]),
    .target(
      name: "SpeechData", dependencies: ["Audio", "TensorCore", "TensorFiles", "Diagnostics", "Threads"]),
    .target(
      name: "DataParallel",
      dependencies: ["SpeakerNet", "Collectives", "TensorCore", "CKernels", "Diagnostics", "Threads"]),
    .target(
      name: "Training",
      dependencies: [
        "DataParallel", "SpeakerNet", "SpeechData", "Audio", "Collectives", "TensorCore", "TensorFiles",
        "Verification", "Diagnostics", "Recipes", "Threads", "Yams",
      ]),
    .target(
      name: "Measurement",
      dependencies: [
        "Training", "DataParallel", "SpeakerNet", "SpeechData", "Collectives", "TensorCore", "TensorFiles",
        "CKernels", "Diagnostics", "Threads",
      ]),
    .target(
      name: "Launcher",
      dependencies: ["Diagnostics", .product(name: "Subprocess", package: "swift-subprocess")]),
    .executableTarget(
      name: "speakerid-dist",
      dependencies: [
        "Measurement", "Training", "SpeechData", "Verification", "Launcher", "MPITransport", "Collectives",
        "Diagnostics", "TensorCore",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    // One conformance suite over every communicator: a library for the tests, a program for mpirun.
    .target(name: "CollectivesConformance", dependencies: ["Collectives", "Diagnostics"]),
    .executableTarget(
      name: "collectives-check",
      dependencies: ["CollectivesConformance", "Collectives", "Diagnostics", "MPITransport", "Threads"]),

    // What the tests share.
    .target(
      name: "TestSupport",
      dependencies: ["Audio", "Collectives", "Diagnostics", "SpeechData", "TensorCore", "TensorFiles"],
      path: "Tests/TestSupport"),

    .testTarget(name: "ProjectTests", dependencies: ["TestSupport"]),
    .testTarget(name: "TensorCoreTests", dependencies: ["TensorCore", "CKernels"]),
    .testTarget(
      name: "TensorFilesTests", dependencies: ["TensorFiles", "Diagnostics", "TestSupport"],
      resources: [.copy("Fixtures")]),
    .testTarget(
      name: "VerificationTests", dependencies: ["Verification", "TensorFiles", "Diagnostics", "TestSupport"],
      resources: [.copy("Fixtures")]),
    .testTarget(
      name: "SpeakerNetTests",
      dependencies: [
        "SpeakerNet", "DataParallel", "TensorCore", "TensorFiles", "Recipes", "Diagnostics", "Yams",
      ],
      resources: [.copy("Fixtures")]),
    .testTarget(
      name: "AudioTests", dependencies: ["Audio", "Diagnostics", "TestSupport"],
      resources: [.copy("Fixtures")]),
    .testTarget(
      name: "SpeechDataTests",
      dependencies: ["SpeechData", "Audio", "TensorCore", "TensorFiles", "Diagnostics", "TestSupport"],
      resources: [.copy("Fixtures")]),
    .testTarget(
      name: "CollectivesTests",
      dependencies: ["CollectivesConformance", "Collectives", "Diagnostics", "TestSupport"]),
    .testTarget(
      name: "MPITransportTests",
      dependencies: ["collectives-check", "MPITransport", "Diagnostics", "TestSupport"]),
    .testTarget(name: "LauncherTests", dependencies: ["Launcher", "Diagnostics"]),
    .testTarget(
      name: "DataParallelTests",
      dependencies: [
        "DataParallel", "Training", "SpeakerNet", "Collectives", "TensorCore", "TensorFiles", "Diagnostics",
        "TestSupport",
      ]),
    .testTarget(
      name: "TrainingTests",
      dependencies: [
        "Training", "Measurement", "DataParallel", "SpeakerNet", "SpeechData", "Audio", "Collectives",
        "TensorCore",
        "TensorFiles", "Recipes", "Diagnostics", "TestSupport",
      ]),
    .testTarget(
      name: "MeasurementTests", dependencies: ["Measurement", "Training", "DataParallel"]),
    .testTarget(name: "CommandLineTests", dependencies: ["speakerid-dist", "TensorFiles", "TestSupport"]),
  ],
  swiftLanguageModes: [.v6]
)
