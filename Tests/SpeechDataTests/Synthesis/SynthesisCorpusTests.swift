import Audio
import Diagnostics
import Foundation
import SpeechData
import TensorFiles
import TestSupport
import Testing

struct SynthesisCorpusTests {
  let corpus: CorpusSynthesizer

  init() throws {
    corpus = try CorpusSynthesizer(speakers: 4, utterances: 10, testUtterances: 3, seed: 87)
  }

  @Test("an utterance has the same bits alone, in any order and from any copy") func bits() throws {
    let forwards = corpus.utterances.map { corpus.features($0) }
    for number in corpus.utterances.reversed() { #expect(corpus.features(number) == forwards[number]) }
    let copy = try CorpusSynthesizer(speakers: 4, utterances: 10, testUtterances: 3, seed: 87)
    #expect(copy.features(9) == forwards[9])
    let other = try CorpusSynthesizer(speakers: 4, utterances: 10, testUtterances: 3, seed: 88)
    #expect(other.features(9) != forwards[9])
  }

  @Test("sound and features are finite, in their range and not constant") func ranges() {
    for number in corpus.utterances {
      let utterance = corpus.utterance(number)
      let audio = corpus.audio(number)
      #expect(audio.count == utterance.samples && audio.allSatisfy { abs($0) <= 1 })
      let features = corpus.features(number)
      #expect(features.count == utterance.frames * 40)
      #expect(features.allSatisfy { $0 >= LogMel.floor && $0 <= 12 })
      // Speech, not a constant: bands move by several nepers.
      #expect(features.max()! - features.min()! > 5)
    }
  }

  @Test("the folder has the homework's layout, and the answers beside it") func layout() throws {
    let folder = TemporaryFolder.inMemory()
    let path = folder("corpus")
    var calls: [Int] = []
    try corpus.writeAll(to: path, threads: 2) { done, all in
      calls.append(done)
      #expect(all == 13)
    }
    #expect(calls.last == 13 && calls == calls.sorted())
    #expect(try corpus.isWritten(path))

    let metadata = try JSON.read(path: "\(path)/metadata.json")
    #expect(metadata["n_mels"]?.int == 40)
    let speakers = try #require(metadata["speakers"]?.object)
    #expect(speakers.keys == ["id00001", "id00002", "id00003", "id00004"])
    #expect(speakers.map { $0.value.array!.count } == [3, 3, 2, 2])
    let mapping = try JSON.read(path: "\(path)/mapping.json")
    #expect(mapping["speaker2id"]?["id00003"]?.int == 2)
    #expect(mapping["id2speaker"]?["2"]?.string == "id00003")
    let testdata = try JSON.read(path: "\(path)/testdata.json")
    let tests = try #require(testdata["utterances"]?.array)
    #expect(testdata["n_mels"]?.int == 40 && tests.count == 3)

    var names: Set<String> = []
    for entry in speakers.flatMap({ $0.value.array! }) + tests {
      let name = try #require(entry["feature_path"]?.string)
      #expect(name.wholeMatch(of: /uttr-[0-9a-f]{32}\.pt/) != nil)
      names.insert(name)
      let mel = try TorchFile.readTensor(path: "\(path)/\(name)")
      #expect(mel.shape == [try #require(entry["mel_len"]?.int), 40])
    }
    #expect(names.count == 13)

    let answers = try String(contentsOfFile: "\(path)/test_answers.csv", encoding: .utf8)
    let rows = answers.components(separatedBy: "\r\n")
    #expect(rows.first == "Id,Category" && rows.count == 5 && rows.last == "")
    for (row, entry) in zip(rows.dropFirst(), tests) {
      #expect(row.hasPrefix(entry["feature_path"]!.string! + ",id0000"))
    }
  }

  @Test("the bytes do not depend on threads, nor on who wrote what") func writers() throws {
    let folder = TemporaryFolder.inMemory()
    try corpus.writeAll(to: folder("one"), threads: 1) { _, _ in }
    try corpus.writeAll(to: folder("three"), threads: 3) { _, _ in }
    let shared = folder("shared")
    #expect(try corpus.prepare(shared) != nil)
    for range in [7..<13, 0..<3, 3..<7] {
      try corpus.write(files: range, to: shared, threads: 2) { _, _ in }
    }
    try corpus.finish(shared)
    let one = try files(below: folder("one"))
    #expect(one.count == 18)
    #expect(try files(below: folder("three")) == one)
    #expect(try files(below: shared) == one)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["one", "shared", "three"])
  }

  @Test("a corpus that was interrupted is gone on with, and a whole one is used again") func continued()
    throws
  {
    let folder = TemporaryFolder.inMemory()
    let path = folder("corpus")
    #expect(try corpus.prepare(path) != nil)
    try corpus.write(files: 0..<5, to: path, threads: 1) { _, _ in }
    #expect(!FileManager.default.fileExists(atPath: path))
    #expect(try !corpus.isWritten(path))
    #expect(throws: Failure.self) { try corpus.finish(path) }
    // What a killed writer leaves.
    try Data("half".utf8).write(to: URL(fileURLWithPath: "\(path).partial/.tmp-0123abcd"))
    try corpus.writeAll(to: path + "/", threads: 1) { _, _ in }
    let whole = try files(below: path)
    #expect(whole.count == 18)

    try corpus.writeAll(to: path, threads: 1) { _, _ in Issue.record("a whole corpus was written again") }
    #expect(try files(below: path) == whole)
  }

  @Test("what another corpus left half done is not taken over") func leavings() throws {
    let folder = TemporaryFolder.inMemory()
    let path = folder("corpus")
    let other = try CorpusSynthesizer(speakers: 4, utterances: 10, testUtterances: 3, seed: 1)
    #expect(try other.prepare(path) != nil)
    try other.write(files: 0..<4, to: path, threads: 1) { _, _ in }
    try corpus.writeAll(to: path, threads: 2) { _, _ in }
    #expect(try files(below: path).count == 18)
  }

  @Test("a folder that holds another corpus, or anything else, is refused and left as it is")
  func otherFolders() throws {
    let folder = TemporaryFolder.inMemory()
    let path = folder("corpus")
    try corpus.writeAll(to: path, threads: 2) { _, _ in }
    let other = try CorpusSynthesizer(speakers: 5, utterances: 10, seed: 87)
    #expect { try other.writeAll(to: path, threads: 1) { _, _ in } } throws: { error in
      "\(error)".contains(path) && "\(error)".contains("\"speakers\": 4")
    }
    #expect { try corpus.writeAll(to: folder.path, threads: 1) { _, _ in } } throws: { error in
      (error as? Failure)?.kind == .badData && "\(error)".contains("not empty")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["corpus"])
  }

  @Test("a folder that cannot be made is named in one line") func unwritable() throws {
    let folder = TemporaryFolder.inMemory()
    let file = folder("file")
    try Data("x".utf8).write(to: URL(fileURLWithPath: file))
    #expect { try corpus.writeAll(to: "\(file)/corpus", threads: 1) { _, _ in } } throws: { error in
      (error as? Failure)?.kind == .inputOutput
        && "\(error)".hasSuffix("corpus.partial: the folder cannot be created: Not a directory")
    }
  }

  @Test(
    "numbers of speakers and utterances that make no corpus are refused",
    arguments: [(1, 10, 0), (4, 3, 0), (4, 10, -1), (100_000, 200_000, 0)])
  func impossible(_ numbers: (Int, Int, Int)) {
    #expect(throws: Failure.self) {
      try CorpusSynthesizer(speakers: numbers.0, utterances: numbers.1, testUtterances: numbers.2, seed: 1)
    }
  }
}

extension CorpusSynthesizer {
  /// The whole way of a process that writes a corpus alone.
  fileprivate func writeAll(to directory: String, threads: Int, progress: (Int, Int) -> Void) throws {
    guard let lock = try prepare(directory) else { return }
    defer { lock.release() }
    try write(files: files, to: directory, threads: threads, progress: progress)
    try finish(directory)
  }
}
