import Foundation
import SpeechData
import Testing

@Suite("Reading frames")
struct AllocationTests {
  /// Takes all memory that malloc can give on this thread and lets it have no more, so that whoever
  /// allocates from here on, if only for a moment, crashes.
  static func exhaustMemory() {
    // The crash is the point; nobody has the memory to report it.
    for signalNumber in [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS] { signal(signalNumber, SIG_DFL) }
    limitResource(RLIMIT_AS, to: 0)
    // A list of all blocks, so that the compiler cannot see that they serve nothing and leave them out.
    var blocks: UnsafeMutableRawPointer?
    var size = 1 << 30
    while size >= 8 {
      while let block = malloc(size) {
        block.storeBytes(of: blocks, as: UnsafeMutableRawPointer?.self)
        blocks = block
      }
      // Every small size has free lists of its own.
      size = size > 4096 ? size / 2 : size - 8
    }
    keptBlocks = blocks
  }

  nonisolated(unsafe) static var keptBlocks: UnsafeMutableRawPointer?

  @Test("allocates nothing, packed or not")
  func nothing() async throws {
    let made = try TestCorpus(count: 12)
    try made.pack(4)
    await #expect(processExitsWith: .success) {
      [source = made.source as String, packed = made.packed as String] in
      let corpora = try [source, packed].map(Corpus.open)
      for corpus in corpora { try corpus.prepareEverything() }
      let readers = corpora.map { SegmentReader(corpus: $0, length: 128) }
      let segment = UnsafeMutablePointer<Float>.allocate(capacity: 128 * 40)
      func readEverything(_ step: Int) throws {
        for reader in readers {
          for utterance in 0..<12 {
            try reader.copySegment(
              of: utterance, Crop.training(seed: 1, step: step, shard: 0, sample: utterance), into: segment)
          }
        }
      }
      try readEverything(0)  // lazily made things of the runtime
      AllocationTests.exhaustMemory()
      for step in 1..<50 { try readEverything(step) }
      _exit(segment[0].isFinite ? 0 : 1)
    }
  }

  @Test("would be caught allocating: the test above can fail")
  func control() async {
    await #expect(processExitsWith: .failure) {
      AllocationTests.exhaustMemory()
      _exit(String(repeating: "x", count: Int(getpid()) % 7 + 100).isEmpty ? 1 : 0)
    }
  }

  @Test("works from several threads at once")
  func threads() async throws {
    let made = try TestCorpus(count: 20)
    try made.pack(4)
    for directory in [made.source, made.packed] {
      let corpus = try Corpus.open(directory)
      try corpus.prepareEverything()
      try await withThrowingTaskGroup(of: Bool.self) { group in
        for task in 0..<4 {
          group.addTask {
            try (0..<200).allSatisfy { i in
              let u = (i * 7 + task * 5) % 20
              return try corpus.frames(of: u, 0..<1) == TestCorpus.values(u, 0..<1)
            }
          }
        }
        for try await isRight in group { #expect(isRight) }
      }
    }
  }
}
