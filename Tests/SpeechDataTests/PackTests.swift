import Diagnostics
import Foundation
import SpeechData
import TensorCore
import TensorFiles
import Synchronization
import TestSupport
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
    let names = made.folder.contents(of: "packed")
    #expect(names.count == 11)
    let shared = made.folder("shared")
    let packer = try Packer(source: made.source, output: shared, files: 5)
    #expect(failure { try packer.finish() }?.kind == .missingInput)
    try packer.run(files: 3..<5, threads: 3) { _, _ in }
    try packer.run(files: 0..<3, threads: 3) { _, _ in }
    #expect(failure { _ = try Corpus.open(shared) }?.kind == .missingInput)
    try packer.finish()
    #expect(made.folder.contents(of: "shared") == names)
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
    let reference = try made.folder.contents(of: "packed").map { try bytes("\(made.packed)/\($0)") }
    let kept = "\(made.packed)/shard-00001-of-00005.mels"
    let lost = "\(made.packed)/shard-00003-of-00005.mels"
    try FileManager.default.removeItem(atPath: "\(made.packed)/manifest.json")
    try bytes(lost).prefix(1000).write(to: URL(fileURLWithPath: lost + ".partial-4711"))
    try FileManager.default.removeItem(atPath: lost)
    let inode = try FileManager.default.attributesOfItem(atPath: kept)[.systemFileNumber] as? Int
    try made.pack(5)
    #expect(try FileManager.default.attributesOfItem(atPath: kept)[.systemFileNumber] as? Int == inode)
    #expect(try made.folder.contents(of: "packed").map { try bytes("\(made.packed)/\($0)") } == reference)
  }

  @Test("can be killed in the middle and started again")
  func killed() async throws {
    // Four files, of which the kernel lets a process write only the smaller ones before it kills it.
    let made = try TestCorpus(count: 25, tests: nil)
    try made.pack(4, threads: 1)
    let names = made.folder.contents(of: "packed")
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
    #expect(made.folder.contents(of: "packed").contains { $0.contains(".partial-") })
    #expect(failure { _ = try Corpus.open(made.packed) }?.kind == .missingInput)
    try made.pack(4)
    #expect(made.folder.contents(of: "packed") == names)
    #expect(try names.map { try bytes("\(made.packed)/\($0)") } == reference)
  }

  @Test("goes on after a failure, once the bad file is mended")
  func mended() throws {
    let made = try TestCorpus(count: 25)
    let bad = "\(made.source)/\(TestCorpus.name(7))"
    let good = try bytes(bad)
    try FileManager.default.removeItem(atPath: bad)
    #expect(failure { try made.pack(5) }?.kind == .missingInput)
    #expect(made.folder.contents(of: "packed").allSatisfy { $0.hasSuffix(".mels") })
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
    #expect(made.folder.contents(of: "packed").count == (frames == nil ? 5 : 9))
  }

  @Test("refuses a folder that holds something else, and leaves it as it is")
  func foreign() throws {
    let made = try TestCorpus(count: 12)
    try made.pack(4)
    let before = made.folder.contents(of: "packed")
    func refusal(_ source: String, _ output: String, _ files: Int) throws -> Failure {
      try #require(
        failure { try Packer(source: source, output: output, files: files).run(threads: 1) { _, _ in } })
    }
    // Another number of files, another corpus, somebody's folder.
    let other = try TestCorpus(count: 13)
    for error in [
      try refusal(made.source, made.packed, 2), try refusal(other.source, made.packed, 4),
      try refusal(made.source, other.source, 4),
    ] {
      #expect(error.kind == .usage)
      #expect(error.message.contains("give an empty folder, or a new one"))
    }
    try FileManager.default.createSymbolicLink(
      atPath: made.folder("link"), withDestinationPath: made.source)
    for output in [made.source, "\(made.source)/.", made.folder("link")] {
      #expect(
        try refusal(made.source, output, 4)
          == Failure(.usage, "\(output) is the folder of the data: give a folder of its own to pack into"))
    }
    #expect(try refusal(made.source, "", 4).kind == .usage)
    #expect(made.folder.contents(of: "packed") == before)
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

  @Test("waits for another pack into the same folder, and finds it done")
  func twoAtATime() throws {
    let made = try TestCorpus(count: 12)
    let first = try Packer(source: made.source, output: made.packed, files: 4)
    let second = try Packer(source: made.source, output: made.packed, files: 4)
    let lock = try first.claim()
    let waits = DispatchSemaphore(value: 0), done = DispatchSemaphore(value: 0)
    let error = Mutex<Failure?>(nil)
    Thread.detachNewThread {
      let found = failure {
        let lock = try second.claim { waits.signal() }
        defer { lock.release() }
        try second.run(files: 0..<4, threads: 1) { _, _ in }
        try second.finish()
      }
      error.withLock { $0 = found }
      done.signal()
    }
    waits.wait()
    #expect(made.folder.contents(of: "packed") == [])
    try first.run(files: 0..<4, threads: 1) { _, _ in }
    try first.finish()
    let inodes = try inodes(in: made)
    lock.release()
    done.wait()
    #expect(error.withLock { $0 } == nil)
    #expect(
      try self.inodes(in: made).filter { $0.key != "manifest.json" }
        == inodes.filter { $0.key != "manifest.json" })
  }

  private func inodes(in made: TestCorpus) throws -> [String: Int] {
    Dictionary(
      uniqueKeysWithValues: try made.folder.contents(of: "packed").map { name in
        let attributes = try FileManager.default.attributesOfItem(atPath: "\(made.packed)/\(name)")
        return (name, try #require(attributes[.systemFileNumber] as? Int))
      })
  }

  @Test("ends the process with one line when a mapped file is cut short")
  func truncated() async throws {
    let made = try TestCorpus([[100, 200], [300, 400]], tests: nil)
    try made.pack(2)
    let path = "\(made.packed)/shard-00001-of-00002.mels"
    let result = try await #require(
      processExitsWith: .exitCode(Failure.Kind.inputOutput.rawValue), observing: [\.standardErrorContent]
    ) { [packed = made.packed as String, path = path as String] in
      let corpus = try Corpus.open(packed)
      try corpus.prepareEverything(shards: 2, threads: 1)
      // Another mapping comes and goes: the right one is named all the same.
      try Corpus.open(packed).prepareEverything(shards: 2, threads: 1)
      truncate(path, 4096)
      for index in corpus.utterances.indices {
        _ = try corpus.frames(of: index, 0..<corpus.utterances[index].frames)
      }
    }
    let lines = String(decoding: result.standardErrorContent, as: UTF8.self).split(separator: "\n")
    #expect(lines.contains { $0.hasPrefix("error: \(path): was cut short") }, "\(lines)")
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
    #expect(made.folder.contents(of: "packed").allSatisfy { $0.hasPrefix("test-") && $0.hasSuffix(".mels") })
  }
}
