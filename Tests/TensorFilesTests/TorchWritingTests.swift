import Diagnostics
import Glibc
import TensorFiles
import TestSupport
import Testing

@Suite struct TorchWriting {
  @Test(
    "a tensor that is written comes back, aligned and contiguous",
    arguments: fixtures(endingIn: ".pt").filter { !$0.hasSuffix(".bad") })
  func tensors(name: String) throws {
    let tensor = try TorchFile.readTensor(path: fixture(name + ".pt"))
    let folder = TemporaryFolder()
    try TorchFile.writeTensor(tensor, to: folder("copy.pt"))
    #expect(try TorchFile.readTensor(path: folder("copy.pt")) == tensor)
    let location = try TorchFile.locateTensor(path: folder("copy.pt"))
    #expect(location.payloadOffset % 64 == 0)
    #expect(location.isContiguous)
  }

  @Test("a state dict that is written comes back", arguments: ["state_dict", "shared", "plain_dict"])
  func stateDicts(name: String) throws {
    let tensors = try TorchFile.readStateDict(path: fixture(name + ".ckpt"))
    let folder = TemporaryFolder()
    try TorchFile.writeStateDict(tensors, to: folder("copy.ckpt"))
    #expect(try TorchFile.readStateDict(path: folder("copy.ckpt")) == tensors)
  }

  @Test("state dicts of 2345 tensors and of none come back") func sizes() throws {
    let tensors = NamedTensors((0..<2345).map { ("layers.\($0).é", Tensor(int64: [$0], shape: [1])) })
    let folder = TemporaryFolder()
    try TorchFile.writeStateDict(tensors, to: folder("copy.ckpt"))
    #expect(try TorchFile.readStateDict(path: folder("copy.ckpt")) == tensors)
    try TorchFile.writeStateDict(NamedTensors(), to: folder("empty.ckpt"))
    #expect(try TorchFile.readStateDict(path: folder("empty.ckpt")).isEmpty)
  }

  /// More members than the small end record can count.
  @Test("more members than a small zip directory can count are read") func zip64Directories() throws {
    let members = (0..<70_000).map { (name: "t/data/\($0)", payload: [UInt8]()) }
    let pickle = Pickle.whole(Pickle.tensor(Pickle.storage(key: "69999", count: 0), shape: [0], stride: [1]))
    let folder = TemporaryFolder()
    let path = try folder.write(zip(members + [("t/data.pkl", pickle), ("t/version", [])]))
    #expect(try TorchFile.readTensor(path: path) == Tensor(float32: [], shape: [0]))
  }

  /// The bytes that PyTorch 2.13 was seen to load with `weights_only=True`, with and without `mmap=True`.
  @Test("the bytes are those that PyTorch has loaded with weights_only=True") func seenByPyTorch() throws {
    let folder = TemporaryFolder()
    try TorchFile.writeTensor(
      Tensor(float32: (0..<80).map(Float.init), shape: [2, 40]), to: folder("t.pt"))
    #expect(ownCRC32(try bytes(ofFile: folder("t.pt"))) == 0xF994_41DA)
    let tensors = NamedTensors([
      ("prenet.weight", Tensor(float32: (0..<6).map(Float.init), shape: [2, 3])),
      ("count", Tensor(int64: [7 as Int], shape: [])), ("empty", Tensor(float32: [], shape: [0, 40])),
      ("mask", Tensor(elementType: .bool, shape: [2], bytes: [1, 0])),
    ])
    try TorchFile.writeStateDict(tensors, to: folder("s.ckpt"))
    #expect(ownCRC32(try bytes(ofFile: folder("s.ckpt"))) == 0xCF5E_74A2)
  }

  @Test("a type that PyTorch has no storage for is refused, and no file is left") func unknownType() throws {
    let folder = TemporaryFolder()
    let tensor = Tensor(elementType: .uint16, shape: [1], bytes: [0, 0])
    expectFailure(saying: "no storage class for U16") {
      try TorchFile.writeTensor(tensor, to: folder("t.pt"))
    }
    #expect(folder.contents.isEmpty)
  }
}

@Suite struct AtomicWriting {
  @Test("a file is replaced as a whole, and nothing is left beside it") func replacement() throws {
    let folder = TemporaryFolder()
    let path = try folder.write([1, 2, 3], to: "f")
    try FileWriting.writeAtomically([4], to: path)
    #expect(try bytes(ofFile: path) == [4])
    try FileWriting.writeAtomically(to: path) { sink throws(Failure) in
      try sink.write([5])
      try sink.write([])
      try sink.write([6, 7])
    }
    #expect(try bytes(ofFile: path) == [5, 6, 7])
    #expect(folder.contents == ["f"])
  }

  @Test("a write that fails leaves the old file, and nothing beside it") func failedWrite() throws {
    let folder = TemporaryFolder()
    let path = try folder.write([1], to: "f")
    expectFailure(saying: "stop") {
      try FileWriting.writeAtomically(to: path) { sink throws(Failure) in
        try sink.write([2])
        throw Failure(.badData, "stop")
      }
    }
    #expect(try bytes(ofFile: path) == [1])
    #expect(folder.contents == ["f"])
  }

  @Test("the system's answer is told with the path and what was being done") func systemErrors() throws {
    let folder = TemporaryFolder()
    let missing = folder("none/f")
    expectFailure(.inputOutput, saying: "none/f: creating the file failed: No such file or directory") {
      try FileWriting.writeAtomically([1], to: missing)
    }
    // A folder of that name cannot be replaced.
    expectFailure(.inputOutput, saying: "replacing the file failed") {
      try FileWriting.writeAtomically([1], to: folder.path)
    }
    #expect(folder.contents.isEmpty)
  }

  @Test("a full disk is called one") func fullDisk() throws {
    let descriptor = open("/dev/full", O_WRONLY)
    defer { close(descriptor) }
    expectFailure(.inputOutput, saying: "f: writing failed: No space left on device") {
      try FileSink(descriptor: descriptor, path: "f").write(Array(repeating: 0, count: 10_000))
    }
  }
}
