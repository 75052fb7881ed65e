import Diagnostics
import TensorFiles
import TestSupport
import Testing

/// Readers of foreign bytes end with a value or a `Failure`, whatever the bytes: thousands of mutations, the same in
/// every run. A crash or a hang would end the test process.
@Suite struct Fuzzing {
  private static let rounds = 6000

  @Test("JSON changed at random is read, or refused in a line") func json() throws {
    let text: [UInt8] = Array(
      #"{"n_mels": 40, "speakers": {"id1": [{"feature_path": "uttr-é\u00e9.pt", "mel_len": -702.5e+1}]}, "x": [true, null]}"#
        .utf8)
    var random = SeededGenerator(seed: 2)
    for _ in 0..<Self.rounds * 4 {
      let bytes = text.mutated(using: &random)
      expectValueOrFailure(of: bytes) { try JSON.parse(bytes, name: "t") }
    }
    for count in text.indices {
      expectFailure(saying: "t: line 1") { try JSON.parse(Array(text[..<count]), name: "t") }
    }
  }

  @Test(
    "a safetensors file changed at random is read alike from memory and from disk, or refused in a line",
    arguments: ["shared", "plain_dict"])
  func safetensors(name: String) throws {
    let whole = try bytes(ofFile: fixture(name + ".safetensors"))
    let scratch = try ScratchFile()
    var random = SeededGenerator(seed: 3)
    for _ in 0..<Self.rounds {
      let mutated = whole.mutated(using: &random)
      scratch.replace(by: mutated)
      let parsed = expectValueOrFailure(of: mutated) { try Safetensors.parse(mutated, name: "t") }
      let read = expectValueOrFailure(of: mutated) { try Safetensors.read(path: scratch.path) }
      if parsed != read { Issue.record("parsed and read differ: \(mutated)") }
    }
    for count in whole.indices {
      expectFailure(saying: "t") { try Safetensors.parse(Array(whole[..<count]), name: "t") }
    }
  }

  /// Any byte of the file may change: mostly the zip structures and checksums answer.
  @Test(
    "a PyTorch file changed at random is read, or refused in a line",
    arguments: [
      "parameter.pt", "restored.pt", "shared.ckpt", "legacy_protocol4.pt", "legacy_shared.ckpt",
      "tutorial.ckpt",
    ])
  func torchFiles(name: String) throws {
    let whole = try bytes(ofFile: fixture(name))
    let scratch = try ScratchFile()
    var random = SeededGenerator(seed: 4)
    for _ in 0..<Self.rounds {
      let mutated = whole.mutated(using: &random)
      scratch.replace(by: mutated)
      expectValueOrFailure(of: mutated) { try TorchFile.readTensor(path: scratch.path) }
      expectValueOrFailure(of: mutated) { try TorchFile.readStateDict(path: scratch.path) }
    }
  }

  /// The central directory alone, where every field is believed by a careless reader.
  @Test("a zip directory changed at random is read, or refused in a line") func zipDirectories() throws {
    let whole = try bytes(ofFile: fixture("scalar.pt"))
    let directory = try #require(whole.firstRange(of: [0x50, 0x4B, 1, 2])).lowerBound
    let scratch = try ScratchFile()
    var random = SeededGenerator(seed: 5)
    for _ in 0..<Self.rounds {
      let mutated = Array(whole[..<directory]) + Array(whole[directory...]).mutated(using: &random)
      scratch.replace(by: mutated)
      expectValueOrFailure(of: mutated) { try TorchFile.readTensor(path: scratch.path) }
    }
  }

  /// Pickles under a sound checksum, so that every mutation reaches the machine.
  @Test(
    "a pickle changed at random under a sound checksum is read, or refused in a line",
    arguments: [
      ("plain.pt", [0x80, 2, 0x63]), ("parameter.pt", [0x80, 2, 0x63]), ("shared.ckpt", [0x80, 2, 0x63]),
      ("state_dict.ckpt", [0x80, 2, 0x63]), ("lightning.ckpt", [0x80, 2, 0x7D]),
      ("protocol4.pt", [0x80, 4, 0x95]),
      ("protocol5.pt", [0x80, 5, 0x95]), ("lightning_protocol4.ckpt", [0x80, 4, 0x95]),
    ] as [(String, [UInt8])])
  func pickles(name: String, beginning: [UInt8]) throws {
    let whole = try bytes(ofFile: fixture(name))
    let start = try #require(whole.firstRange(of: beginning)).lowerBound
    let end = try #require(whole[start...].firstRange(of: [0x2E, 0x50, 0x4B, 7, 8])).lowerBound
    let pickle = Array(whole[start...end])
    let storage = [UInt8](repeating: 1, count: 3680)
    let scratch = try ScratchFile()
    var random = SeededGenerator(seed: 6)
    for _ in 0..<Self.rounds {
      let mutated = pickle.mutated(using: &random)
      scratch.replace(by: torchFile(pickle: mutated, storage: storage))
      expectValueOrFailure(of: mutated) { try TorchFile.readTensor(path: scratch.path) }
      expectValueOrFailure(of: mutated) { try TorchFile.readStateDict(path: scratch.path) }
    }
    for count in pickle.indices {
      scratch.replace(by: torchFile(pickle: Array(pickle[..<count]), storage: storage))
      expectFailure(saying: "data.pkl") { try TorchFile.readTensor(path: scratch.path) }
    }
  }

  /// Before PyTorch 1.6 there is no end to look for, and no checksum: every length is checked as it comes.
  @Test("a file of PyTorch before 1.6 that is cut anywhere, or longer than it says, is refused")
  func legacyTruncations() throws {
    for name in ["legacy_protocol4.pt", "legacy_shared.ckpt"] {
      let whole = try bytes(ofFile: fixture(name))
      let scratch = try ScratchFile()
      for count in whole.indices {
        scratch.replace(by: Array(whole[..<count]))
        expectFailure(saying: "scratch: ") { try TorchFile.readTensor(path: scratch.path) }
      }
      scratch.replace(by: whole + [0])
      expectFailure(saying: "has 1 bytes behind its last storage") {
        try TorchFile.readTensor(path: scratch.path)
      }
    }
  }
}
