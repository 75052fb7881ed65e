import Diagnostics
import Glibc
import TensorFiles
import Testing

@Suite struct TorchWriting {
  @Test(arguments: fixtures(endingIn: ".pt").filter { !$0.hasSuffix(".bad") })
  func tensorsComeBack(name: String) throws {
    let tensor = try TorchFile.readTensor(path: fixture(name + ".pt"))
    let folder = try TemporaryFolder()
    try TorchFile.writeTensor(tensor, to: folder.file("copy.pt"))
    #expect(try TorchFile.readTensor(path: folder.file("copy.pt")) == tensor)
    let location = try TorchFile.locateTensor(path: folder.file("copy.pt"))
    #expect(location.payloadOffset % 64 == 0)
    #expect(location.isContiguous)
  }

  @Test(arguments: ["state_dict", "shared", "plain_dict"])
  func stateDictsComeBack(name: String) throws {
    let tensors = try TorchFile.readStateDict(path: fixture(name + ".ckpt"))
    let folder = try TemporaryFolder()
    try TorchFile.writeStateDict(tensors, to: folder.file("copy.ckpt"))
    #expect(try TorchFile.readStateDict(path: folder.file("copy.ckpt")) == tensors)
  }

  @Test func largeStateDictsComeBack() throws {
    let tensors = NamedTensors((0..<2345).map { ("layers.\($0).é", Tensor(int64: [$0], shape: [1])) })
    let folder = try TemporaryFolder()
    try TorchFile.writeStateDict(tensors, to: folder.file("copy.ckpt"))
    #expect(try TorchFile.readStateDict(path: folder.file("copy.ckpt")) == tensors)
    try TorchFile.writeStateDict(NamedTensors(), to: folder.file("empty.ckpt"))
    #expect(try TorchFile.readStateDict(path: folder.file("empty.ckpt")).isEmpty)
  }

  /// More members than the small end record can count.
  @Test func zip64Directories() throws {
    let members = (0..<70_000).map { (name: "t/data/\($0)", payload: [UInt8]()) }
    let pickle = Pickle.whole(Pickle.tensor(Pickle.storage(key: "69999", count: 0), shape: [0], stride: [1]))
    let folder = try TemporaryFolder()
    let path = try folder.write(zip(members + [("t/data.pkl", pickle), ("t/version", [])]))
    #expect(try TorchFile.readTensor(path: path) == Tensor(float32: [], shape: [0]))
  }

  /// The bytes that PyTorch 2.13 was seen to load with `weights_only=True`, with and without `mmap=True`.
  @Test func bytesAreThoseThatPyTorchLoaded() throws {
    let folder = try TemporaryFolder()
    try TorchFile.writeTensor(
      Tensor(float32: (0..<80).map(Float.init), shape: [2, 40]), to: folder.file("t.pt"))
    #expect(ownCRC32(try bytes(ofFile: folder.file("t.pt"))) == 0xF994_41DA)
    let tensors = NamedTensors([
      ("prenet.weight", Tensor(float32: (0..<6).map(Float.init), shape: [2, 3])),
      ("count", Tensor(int64: [7 as Int], shape: [])), ("empty", Tensor(float32: [], shape: [0, 40])),
      ("mask", Tensor(elementType: .bool, shape: [2], bytes: [1, 0])),
    ])
    try TorchFile.writeStateDict(tensors, to: folder.file("s.ckpt"))
    #expect(ownCRC32(try bytes(ofFile: folder.file("s.ckpt"))) == 0xCF5E_74A2)
  }

  @Test func typesWithoutAStorageClassAreRefused() throws {
    let folder = try TemporaryFolder()
    let tensor = Tensor(elementType: .uint16, shape: [1], bytes: [0, 0])
    expectFailure(saying: "no storage class for U16") {
      try TorchFile.writeTensor(tensor, to: folder.file("t.pt"))
    }
    #expect(try folder.contents.isEmpty)
  }
}

@Suite struct AtomicWriting {
  @Test func replacesAndLeavesNothingBehind() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write([1, 2, 3], "f")
    try FileWriting.writeAtomically([4], to: path)
    #expect(try bytes(ofFile: path) == [4])
    try FileWriting.writeAtomically(to: path) { sink throws(Failure) in
      try sink.write([5])
      try sink.write([])
      try sink.write([6, 7])
    }
    #expect(try bytes(ofFile: path) == [5, 6, 7])
    #expect(try folder.contents == ["f"])
  }

  @Test func aFailureLeavesTheOldFile() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write([1], "f")
    expectFailure(saying: "stop") {
      try FileWriting.writeAtomically(to: path) { sink throws(Failure) in
        try sink.write([2])
        throw Failure(.badData, "stop")
      }
    }
    #expect(try bytes(ofFile: path) == [1])
    #expect(try folder.contents == ["f"])
  }

  @Test func systemErrorsNameThePath() throws {
    let folder = try TemporaryFolder()
    let missing = folder.file("none/f")
    expectFailure(.inputOutput, saying: "none/f: creating the file failed: No such file or directory") {
      try FileWriting.writeAtomically([1], to: missing)
    }
    // A folder of that name cannot be replaced.
    expectFailure(.inputOutput, saying: "replacing the file failed") {
      try FileWriting.writeAtomically([1], to: folder.path)
    }
    #expect(try folder.contents.isEmpty)
  }

  @Test func aFullDiskIsNamed() throws {
    let descriptor = open("/dev/full", O_WRONLY)
    defer { close(descriptor) }
    expectFailure(.inputOutput, saying: "f: writing failed: No space left on device") {
      try FileSink(descriptor: descriptor, path: "f").write(Array(repeating: 0, count: 10_000))
    }
  }
}
