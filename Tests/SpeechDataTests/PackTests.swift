import Diagnostics
import Foundation
import SpeechData
import TensorCore
import TensorFiles
import Testing

@Suite("Packing")
struct PackTests {
  private func bytes(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

  @Test("gives the same crops as the source, to the bit")
  func crops() throws {
    let made = try TestCorpus(count: 40)
    try made.pack(4)
    let corpora = try [made.source, made.packed].map(Corpus.open)
    for corpus in corpora { try corpus.prepareEverything() }
    let readers = corpora.map { SegmentReader(corpus: $0, length: 128) }
    for utterance in 0..<40 {
      for step in 0..<20 {
        let segments = try readers.map { reader in
          var segment = [Float](repeating: .nan, count: 128 * 40)
          try segment.withUnsafeMutableBufferPointer {
            try reader.copySegment(
              of: utterance, Crop.training(seed: 1, step: step, shard: 0, sample: 0), into: $0.baseAddress!)
          }
          return segment
        }
        #expect(segments[0] == segments[1])
      }
    }
  }

  @Test("writes the same bytes on any number of threads, and shared out over processes")
  func deterministic() throws {
    let made = try TestCorpus(count: 25)
    try made.pack(5, threads: 1)
    let names = made.folder.contents("packed")
    #expect(names.count == 11)
    let shared = made.folder("shared")
    let packer = try Packer(source: made.source, output: shared, files: 5)
    #expect(failure { try packer.finish() }?.kind == .missingInput)
    try packer.run(files: 3..<5, threads: 3) { _, _ in }
    try packer.run(files: 0..<3, threads: 3) { _, _ in }
    #expect(failure { _ = try Corpus.open(shared) }?.kind == .missingInput)
    try packer.finish()
    #expect(made.folder.contents("shared") == names)
    for name in names { #expect(try bytes("\(made.packed)/\(name)") == bytes("\(shared)/\(name)")) }
  }

  @Test("reports its progress in utterances, tests included")
  func progress() throws {
    let made = try TestCorpus(count: 25)
    let packer = try Packer(source: made.source, output: made.packed, files: 5)
    #expect(packer.utterances == 28)
    for _ in 0..<2 {  // the second run keeps all files
      var last = (0, 0)
      try packer.run(threads: 2) { done, total in last = (done, total) }
      #expect(last == (28, 28))
    }
  }

  @Test("goes on where a killed pack was: keeps whole files, replaces temporary ones")
  func restart() throws {
    let made = try TestCorpus(count: 25)
    try made.pack(5)
    let reference = try made.folder.contents("packed").map { try bytes("\(made.packed)/\($0)") }
    let kept = "\(made.packed)/shard-00001-of-00005.mels"
    let lost = "\(made.packed)/shard-00003-of-00005.mels"
    try FileManager.default.removeItem(atPath: "\(made.packed)/manifest.json")
    try bytes(lost).prefix(1000).write(to: URL(fileURLWithPath: lost + ".partial-4711"))
    try FileManager.default.removeItem(atPath: lost)
    let inode = try FileManager.default.attributesOfItem(atPath: kept)[.systemFileNumber] as? Int
    try made.pack(5)
    #expect(try FileManager.default.attributesOfItem(atPath: kept)[.systemFileNumber] as? Int == inode)
    #expect(try made.folder.contents("packed").map { try bytes("\(made.packed)/\($0)") } == reference)
  }

  @Test("can be killed in the middle and started again")
  func killed() async throws {
    // Four files, of which the kernel lets a process write only the smaller ones before it kills it.
    let made = try TestCorpus(count: 25, tests: nil)
    try made.pack(4, threads: 1)
    let names = made.folder.contents("packed")
    let reference = try names.map { try bytes("\(made.packed)/\($0)") }
    let limit = try #require(reference.dropFirst().map(\.count).sorted().dropLast().last)
    try FileManager.default.removeItem(atPath: made.packed)
    await #expect(processExitsWith: .signal(SIGXFSZ)) {
      [source = made.source as String, packed = made.packed as String, limit = limit as Int] in
      signal(SIGXFSZ, SIG_DFL)
      var deadly = sigset_t()
      sigaddset(&deadly, SIGXFSZ)
      pthread_sigmask(SIG_UNBLOCK, &deadly, nil)  // the threads of a test have signals blocked
      limitResource(RLIMIT_FSIZE, to: rlim_t(limit))
      try Packer(source: source, output: packed, files: 4).run(threads: 3) { _, _ in }
    }
    #expect(made.folder.contents("packed").contains { $0.contains(".partial-") })
    #expect(failure { _ = try Corpus.open(made.packed) }?.kind == .missingInput)
    try made.pack(4)
    #expect(made.folder.contents("packed") == names)
    #expect(try names.map { try bytes("\(made.packed)/\($0)") } == reference)
  }

  @Test("goes on after a failure, once the bad file is mended")
  func mended() throws {
    let made = try TestCorpus(count: 25)
    let bad = "\(made.source)/\(TestCorpus.name(7))"
    let good = try bytes(bad)
    try FileManager.default.removeItem(atPath: bad)
    #expect(failure { try made.pack(5) }?.kind == .missingInput)
    #expect(made.folder.contents("packed").allSatisfy { $0.hasSuffix(".mels") })
    try good.write(to: URL(fileURLWithPath: bad))
    try made.pack(5)
    try Corpus.open(made.packed).prepareEverything()
  }

  @Test("handles no test utterances, and fewer than files", arguments: [nil, [], [3]] as [[Int]?])
  func tests(frames: [Int]?) throws {
    let made = try TestCorpus(count: 9, tests: frames)
    try made.pack(4)
    let corpus = try Corpus.open(made.packed)
    #expect(corpus.tests?.map(\.frames) == frames)
    try corpus.prepareEverything()
    #expect(made.folder.contents("packed").count == (frames == nil ? 5 : 9))
  }

  @Test("refuses a folder that holds something else, and leaves it as it is")
  func foreign() throws {
    let made = try TestCorpus(count: 12)
    try made.pack(4)
    let before = made.folder.contents("packed")
    func refusal(_ source: String, _ output: String, _ files: Int) throws -> Failure {
      try #require(
        failure { try Packer(source: source, output: output, files: files).run(threads: 1) { _, _ in } })
    }
    // Another number of files, another corpus, the source itself.
    let other = try TestCorpus(count: 13)
    for error in [
      try refusal(made.source, made.packed, 2), try refusal(other.source, made.packed, 4),
      try refusal(made.source, made.source, 4),
    ] {
      #expect(error.kind == .usage)
      #expect(error.message.contains("choose an empty folder, or delete it first"))
    }
    #expect(made.folder.contents("packed") == before)
    // The same index, but one utterance says something else now.
    try TorchFile.writeTensor(
      Tensor(float32: TestCorpus.values(99, 0..<made.frames[3]), shape: [made.frames[3], 40]),
      to: "\(made.source)/\(TestCorpus.name(3))")
    let changed = try refusal(made.source, made.packed, 4)
    #expect(changed.kind == .usage)
    #expect(changed.message.contains("was packed when \(made.source)/uttr-3.pt held something else"))
  }

  @Test("refuses numbers of files that make no sense", arguments: [-1, 0, 13])
  func files(count: Int) throws {
    let made = try TestCorpus(count: 12)
    let error = failure { _ = try Packer(source: made.source, output: made.packed, files: count) }
    #expect(error == Failure(.usage, "--shards is \(count), but must be between 1 and the 12 utterances"))
  }

  @Test("refuses a packed corpus as its source, and an output it cannot make")
  func paths() throws {
    let made = try TestCorpus(count: 12)
    try made.pack(2)
    #expect(
      failure { _ = try Packer(source: made.packed, output: made.folder("x"), files: 2) }?.kind
        == .missingInput)
    let error = failure {
      try Packer(source: made.source, output: "\(made.source)/metadata.json/x", files: 2).run(threads: 1) {
        _, _ in
      }
    }
    #expect(error?.kind == .inputOutput)
  }

  @Test("leaves no half file when the disk is full")
  func diskFull() async throws {
    let made = try TestCorpus(count: 12)
    await #expect(processExitsWith: .success) {
      [source = made.source as String, packed = made.packed as String] in
      signal(SIGXFSZ, SIG_IGN)
      limitResource(RLIMIT_FSIZE, to: 100_000)
      let packer = try Packer(source: source, output: packed, files: 2)
      let error = try #require(failure { try packer.run(threads: 2) { _, _ in } })
      #expect(error.kind == .inputOutput)
      #expect(error.message.hasPrefix("\(packed)/shard-0000"))
    }
    #expect(made.folder.contents("packed").allSatisfy { $0.hasPrefix("test-") && $0.hasSuffix(".mels") })
  }
}

@Suite("A damaged packed corpus")
struct PackDamageTests {
  /// What a reader can see of a corpus.
  private struct Contents: Equatable {
    var speakers: [String]
    var utterances: [Utterance]
    var tests: [Utterance]?
    var frames: [[Float]]

    init(_ directory: String) throws {
      let corpus = try Corpus.open(directory)
      try corpus.prepareEverything()
      speakers = corpus.speakers
      utterances = corpus.utterances
      tests = corpus.tests
      frames = try corpus.utterances.indices.map {
        try corpus.frames(of: $0, 0..<corpus.utterances[$0].frames)
      }
      let tests = corpus.tests ?? []
      frames += try tests.indices.map { try corpus.testFrames(of: $0, 0..<tests[$0].frames) }
    }
  }

  private let made: TestCorpus
  private let reference: Contents

  init() throws {
    made = try TestCorpus([[3, 1], [2, 5, 4], [6]], tests: [2, 3])
    try made.pack(2)
    reference = try Contents(made.packed)
  }

  /// Writes `damaged` as `name` and expects a `Failure` or the same contents.
  private func expectFailureOrEquality(_ name: String, _ damaged: Data, _ what: String) throws {
    try damaged.write(to: URL(fileURLWithPath: "\(made.packed)/\(name)"))
    do {
      #expect(try Contents(made.packed) == reference, "\(name): \(what)")
    } catch let failure as Failure {
      #expect([.badData, .missingInput].contains(failure.kind), "\(name): \(what): \(failure)")
      #expect(!failure.message.contains("\n"))
    }
  }

  @Test("is refused or read right, whichever bytes of whichever file change")
  func mutations() throws {
    let random = RandomStream(seed: 2026, purpose: .synthesis)
    for (f, name) in made.folder.contents("packed").enumerated() {
      let whole = try Data(contentsOf: URL(fileURLWithPath: "\(made.packed)/\(name)"))
      for offset in whole.indices {
        var damaged = whole
        damaged[offset] ^= UInt8(1 << random.integer(below: 8, at: f << 20 | offset))
        try expectFailureOrEquality(name, damaged, "bit of byte \(offset)")
      }
      for trial in 0..<500 {
        func draw(_ bound: Int, _ element: Int) -> Int {
          random.integer(below: bound, at: 1 << 24 | f << 20 | trial << 4 | element)
        }
        var damaged = whole
        let start = draw(whole.count, 0)
        switch draw(4, 1) {
        case 0: damaged = whole.prefix(start)
        case 1: damaged.append(whole[start...])
        case 2: damaged.removeSubrange(start..<min(whole.count, start + 1 + draw(16, 2)))
        default:
          for i in start..<min(whole.count, start + 8) {
            damaged[i] = UInt8([0, 255, draw(256, 3 + i - start)][draw(3, 12)])
          }
        }
        try expectFailureOrEquality(name, damaged, "trial \(trial)")
      }
      try whole.write(to: URL(fileURLWithPath: "\(made.packed)/\(name)"))
    }
    #expect(try Contents(made.packed) == reference)
  }

  @Test("with frames that changed is found out when its shard is prepared, not before and not by others")
  func payload() throws {
    let path = "\(made.packed)/shard-00001-of-00002.mels"
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    bytes[bytes.count - 1] ^= 1
    try bytes.write(to: URL(fileURLWithPath: path))
    let corpus = try Corpus.open(made.packed)
    try corpus.prepare(shards: 0..<1, of: 2, threads: 1) { _, _ in }
    let error = failure { try corpus.prepare(shards: 1..<2, of: 2, threads: 1) { _, _ in } }
    #expect(error?.kind == .badData)
    #expect(error?.message.hasPrefix("\(path) is damaged: the frames of uttr-") == true)
  }

  @Test("whose file was exchanged for another corpus's is refused")
  func exchanged() throws {
    let other = try TestCorpus([[3, 1], [2, 5, 4], [7]], tests: [2, 3])
    try other.pack(2)
    let name = "shard-00000-of-00002.mels"
    try FileManager.default.removeItem(atPath: "\(made.packed)/\(name)")
    try FileManager.default.copyItem(atPath: "\(other.packed)/\(name)", toPath: "\(made.packed)/\(name)")
    let error = failure { _ = try Corpus.open(made.packed) }
    #expect(error?.message == "\(made.packed)/\(name) is not the file that manifest.json lists: pack again")
  }
}
