import Diagnostics
import Glibc
import TensorFiles
import TestSupport
import Testing

@Suite struct TorchReading {
  /// Everything `torch.save` wrote is read as PyTorch reads it.
  @Test(
    "every tensor that torch.save wrote is read as PyTorch reads it",
    arguments: fixtures(endingIn: ".pt").filter { !$0.hasSuffix(".bad") })
  func tensors(name: String) throws {
    let expected = try Safetensors.read(path: fixture("expected.safetensors"))
    #expect(try TorchFile.readTensor(path: fixture(name + ".pt")) == expected.tensor(name, in: "expected"))
  }

  @Test(
    "every state dict that torch.save wrote is read as PyTorch reads it",
    arguments: fixtures(endingIn: ".ckpt").filter { !$0.hasSuffix(".bad") })
  func stateDicts(name: String) throws {
    let expected = try Safetensors.read(path: fixture(name + ".safetensors"))
    let read = try TorchFile.readStateDict(path: fixture(name + ".ckpt"))
    #expect(Set(read.names) == Set(expected.names))
    for (name, tensor) in read { #expect(tensor == expected[name], "\(name)") }
  }

  @Test("a state dict keeps the order of its tensors") func order() throws {
    #expect(try TorchFile.readStateDict(path: fixture("plain_dict.ckpt")).names == ["b", "a"])
    #expect(
      try TorchFile.readStateDict(path: fixture("state_dict.ckpt")).names == [
        "0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var",
        "1.num_batches_tracked",
        "2.weight", "2.bias",
      ])
  }

  @Test(
    "a file that holds no tensor is refused with what it holds",
    arguments: [
      ("custom_class.bad.pt", "holds what __main__.Speaker makes, which is not run, where one tensor"),
      ("list.bad.pt", "holds a list where one tensor"),
      ("complex.bad.pt", "needs torch.ComplexFloatStorage"), ("expanded.bad.pt", "repeats the 3 elements"),
      ("torchscript.bad.pt", "TorchScript programs"), ("deflated.bad.pt", "is deflated"),
      ("big_endian.bad.pt", "big-endian"),
      ("state_dict.ckpt", "a dict of 9 entries where one tensor"),
      ("expected.safetensors", "not a PyTorch file"),
    ])
  func otherFiles(name: String, words: String) {
    expectFailure(saying: words) { try TorchFile.readTensor(path: fixture(name)) }
    expectFailure(saying: words) { try TorchFile.locateTensor(path: fixture(name)) }
  }

  @Test(
    "a file that holds no state dict is refused with what it holds",
    arguments: [
      ("nested.bad.ckpt", "\"epoch\" is an int"), ("number.bad.ckpt", "\"step\" is an int"),
      ("plain.pt", "holds a tensor where a state dict"), ("legacy.pt", "holds a tensor where a state dict"),
      ("foreign_entry.bad.ckpt", "entry \"weight\" is what __main__.Speaker makes, which is not run"),
    ])
  func otherStateDicts(name: String, words: String) {
    expectFailure(saying: words) { try TorchFile.readStateDict(path: fixture(name)) }
  }

  @Test("a missing file, an empty one and a Git LFS pointer are each called by their name") func noFiles()
    throws
  {
    let folder = TemporaryFolder()
    expectFailure(.missingInput, saying: "none.pt: no such file") {
      try TorchFile.readTensor(path: folder("none.pt"))
    }
    let empty = try folder.write([])
    expectFailure(saying: "is empty") { try TorchFile.readTensor(path: empty) }
    let pointer = try folder.write(Array("version https://git-lfs.github.com/spec/v1\noid sha256:0\n".utf8))
    expectFailure(saying: "Git LFS pointer") { try TorchFile.readTensor(path: pointer) }
  }
}

@Suite struct TorchLocations {
  @Test(
    "every element lies where the tensor's location says",
    arguments: ["plain", "archive_prefix", "view_offset", "view_column", "transposed", "restored"])
  func elements(name: String) throws {
    let location = try TorchFile.locateTensor(path: fixture(name + ".pt"))
    let tensor = try TorchFile.readTensor(path: fixture(name + ".pt"))
    #expect(location.shape == tensor.shape)
    #expect(location.elementType == tensor.elementType)
    let file = try bytes(ofFile: fixture(name + ".pt"))
    let expected = try tensor.float32Values()
    for row in 0..<location.shape[0] {
      for column in 0..<location.shape[1] {
        let offset = location.payloadOffset + 4 * (row * location.stride[0] + column * location.stride[1])
        let bits = file[offset..<(offset + 4)].reversed().reduce(0) { $0 << 8 | UInt32($1) }
        #expect(Float(bitPattern: bits) == expected[row * location.shape[1] + column])
      }
    }
    let storage = Array(file[location.storageOffset..<(location.storageOffset + location.payloadBytes)])
    #expect(ownCRC32(storage) == location.storageCRC)
    #expect(location.isContiguous == !["view_column", "transposed"].contains(name))
  }

  @Test("a descriptor that was lent stays open") func borrowed() throws {
    let descriptor = open(fixture("plain.pt"), O_RDONLY)
    defer { close(descriptor) }
    let location = try TorchFile.locateTensor(in: InputFile(borrowing: descriptor, path: "plain.pt"))
    #expect(location == (try TorchFile.locateTensor(path: fixture("plain.pt"))))
    var first: Float = 0
    #expect(pread(descriptor, &first, 4, location.payloadOffset) == 4)
    #expect(first == (try TorchFile.readTensor(path: fixture("plain.pt")).float32Values()[0]))
  }

  /// A tensor of 5 GiB after another, in a file with holes instead of data: every zip64 field is in use.
  @Test("a tensor beyond the first four gigabytes of a file is found") func large() throws {
    let count = 5 << 28
    let tensor = Pickle.tensor(
      Pickle.storage(key: "1", count: count), shape: [count / 40, 40], stride: [40, 1])
    let pickle = Pickle.whole(tensor)
    let layout = ZipLayout([
      .init(name: "t/data.pkl", byteCount: pickle.count, crc32: ownCRC32(pickle)),
      .init(name: "t/data/0", byteCount: 4 * count, crc32: 0),
      .init(name: "t/data/1", byteCount: 4 * count, crc32: 0x1234_5678),
      .init(name: "t/version", byteCount: 0, crc32: 0),
    ])
    let folder = TemporaryFolder()
    let descriptor = open(folder("large"), O_RDWR | O_CREAT, 0o600)
    defer { close(descriptor) }
    for (header, offset) in zip(layout.localHeaders, layout.payloadOffsets) {
      #expect(pwrite(descriptor, header, header.count, offset - header.count) == header.count)
      #expect(offset % 64 == 0)
    }
    #expect(pwrite(descriptor, pickle, pickle.count, layout.payloadOffsets[0]) == pickle.count)
    #expect(
      pwrite(descriptor, layout.directory, layout.directory.count, layout.payloadOffsets[3])
        == layout.directory.count)
    let location = try TorchFile.locateTensor(path: folder("large"))
    #expect(location.payloadOffset == layout.payloadOffsets[2])
    #expect(location.payloadOffset > 4 * count)
    #expect(location.payloadBytes == 4 * count)
    #expect(location.storageCRC == 0x1234_5678)
  }
}
