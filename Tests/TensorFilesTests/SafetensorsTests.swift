import Diagnostics
import Foundation
import TensorFiles
import TestSupport
import Testing

/// A safetensors file of a header and as many zero bytes.
private func file(_ header: String, _ byteCount: Int) -> [UInt8] {
  withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8)
    + Array(repeating: 0, count: byteCount)
}

private func parse(_ header: String, _ byteCount: Int) throws -> NamedTensors {
  try Safetensors.parse(file(header, byteCount), name: "t.safetensors")
}

@Suite struct SafetensorsFiles {
  /// The reference library wrote these files: what is read and written again must be its bytes.
  @Test(
    "a file of the reference library is written again byte for byte",
    arguments: fixtures(endingIn: ".safetensors"))
  func reference(name: String) throws {
    let path = fixture(name + ".safetensors")
    let tensors = try Safetensors.read(path: path)
    #expect(!tensors.isEmpty)
    #expect(try Safetensors.parse(bytes(ofFile: path), name: path) == tensors)
    #expect(Safetensors.serialize(tensors) == (try bytes(ofFile: path)))
    let folder = TemporaryFolder()
    try Safetensors.write(tensors, to: folder("copy"))
    #expect(try bytes(ofFile: folder("copy")) == (try bytes(ofFile: path)))
  }

  @Test("the bytes do not depend on the order in which tensors and metadata came") func order() throws {
    let metadata = Dictionary(uniqueKeysWithValues: (0..<20).map { ("key\($0)", "é\"\($0)") })
    let pairs = ElementType.allCases.flatMap { type in
      ["z", "a", "é", "Z"].map { name in
        (
          name + type.rawValue,
          Tensor(elementType: type, shape: [3], bytes: Array(repeating: 7, count: 3 * type.byteCount))
        )
      }
    }
    let first = Safetensors.serialize(NamedTensors(pairs, metadata: metadata))
    #expect(first == Safetensors.serialize(NamedTensors(pairs.reversed(), metadata: metadata)))
    let read = try Safetensors.parse(first, name: "t")
    #expect(read.metadata == metadata)
    #expect(read.names.prefix(5) == ["ZU64", "aU64", "zU64", "éU64", "ZI64"])
    #expect(Set(read.names) == Set(pairs.map(\.0)))
    for (name, tensor) in pairs { #expect(read[name] == tensor) }
  }

  @Test("empty tensors, scalars and a file of none come back") func empty() throws {
    let tensors = NamedTensors([
      ("s", Tensor(float32: [2], shape: [])), ("e", Tensor(float32: [], shape: [0, 40])),
      ("f", Tensor(float32: [], shape: [3, 0])),
    ])
    let read = try Safetensors.parse(Safetensors.serialize(tensors), name: "t")
    for (name, tensor) in tensors { #expect(read[name] == tensor) }
    #expect(try Safetensors.parse(Safetensors.serialize(NamedTensors()), name: "t").isEmpty)
  }

  @Test("entries in another order than their bytes are read") func otherOrder() throws {
    let read = try parse(
      #"{"b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}   "#,
      6)
    #expect(read.names == ["a", "b"])
  }

  @Test(
    "a header that breaks a rule of the format is refused by that rule's name",
    arguments: [
      (#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#, 3, "bytes left over"),
      (#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#, 1, "is truncated"),
      (#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#, 3, "holes and overlaps"),
      (
        #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#,
        3, "holes and overlaps"
      ),
      (
        #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#,
        2, "holes and overlaps"
      ),
      (
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#,
        2, "\"a\" comes twice"
      ),
      (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,2]}}"#, 2, "takes 8 bytes"),
      (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "takes 4 bytes"),
      (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "\"shape\""),
      (#"{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#, 4, "\"shape\""),
      (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}"#, 4, "too large"),
      (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}"#, 4, "data_offsets"),
      (#"{"a":{"dtype":"F9","shape":[1],"data_offsets":[0,4]}}"#, 4, #"dtype "F9""#),
      (#"{"a":{"shape":[1],"data_offsets":[0,4]}}"#, 4, "\"dtype\""),
      (#"{"a":1}"#, 0, "\"dtype\""), (#"{"__metadata__":{"a":1}}"#, 0, "strings only"),
      (#"{"__metadata__":[]}"#, 0, "object of strings"), (#" {}"#, 0, "does not start with"),
      (#"[]"#, 0, "does not start"),
      (#"{"a""#, 0, "(header): line 1, column 5"),
    ])
  func brokenRules(header: String, byteCount: Int, words: String) {
    expectFailure(saying: words) { try parse(header, byteCount) }
  }

  @Test("a file too short for its header, or a header too long for any file, is refused") func badLengths()
    throws
  {
    expectFailure(saying: "only 7 bytes long") {
      try Safetensors.parse(Array(repeating: 0, count: 7), name: "t")
    }
    expectFailure(saying: "at most 100000000") {
      try Safetensors.parse(Array(repeating: 255, count: 20), name: "t")
    }
    expectFailure(saying: "truncated") {
      try Safetensors.parse([99, 0, 0, 0, 0, 0, 0, 0] + Array("{}".utf8), name: "t")
    }
  }
}

@Suite struct TensorValues {
  /// The values came from `torch.arange(12).reshape(3, 4) * 7 % 11`.
  @Test("every element type is read as floats or as integers, and never as the wrong one") func conversions()
    throws
  {
    let tensors = try Safetensors.read(path: fixture("expected.safetensors"))
    let expected = (0..<12).map { $0 * 7 % 11 }
    for name in ["float64", "float16", "bfloat16"] {
      #expect(try tensors.tensor(name, in: "t").float32Values() == expected.map(Float.init))
    }
    for name in ["int64", "int32", "int16", "int8", "uint8"] {
      #expect(try tensors.tensor(name, in: "t").int64Values() == expected.map(Int64.init))
    }
    #expect(try tensors.tensor("bool", in: "t").int64Values() == expected.map { $0 == 0 ? 0 : 1 })
    expectFailure(saying: "I64") { try tensors["int64"]!.float32Values() }
    expectFailure(saying: "F64") { try tensors["float64"]!.int64Values() }
    expectFailure(saying: "no tensor \"x\" among its 25") { try tensors.tensor("x", in: "t") }
  }

  @Test("half precision becomes single precision exactly, infinities and the smallest included")
  func halfPrecision() throws {
    let tensors = try Safetensors.read(path: fixture("expected.safetensors"))
    let values = try #require(tensors["float16_extremes"]).float32Values()
    // `tensor.float().view(torch.int32)` in PyTorch.
    let expected: [UInt32] = [
      0, 0x8000_0000, 0x3F80_0000, 0xC020_0000, 0x477F_E000, 0x3380_0000, 0x387F_C000, 0x7F80_0000,
      0xFF80_0000,
    ]
    #expect(values.map(\.bitPattern) == expected)
  }
}

@Suite struct NamedTensorLists {
  @Test("named tensors keep their order when one is replaced, removed or added") func dictionary() {
    let one = Tensor(float32: [1], shape: [1])
    let two = Tensor(int64: [2 as Int64], shape: [1])
    var tensors = NamedTensors([("a", one), ("b", one), ("c", one), ("b", two)])
    #expect(tensors.names == ["a", "b", "c"])
    #expect(tensors["b"] == two)
    tensors["a"] = nil
    tensors["d"] = one
    #expect(tensors.names == ["b", "c", "d"])
    #expect(tensors["c"] == one)
    #expect(tensors["a"] == nil)
    #expect(tensors.map(\.name) == ["b", "c", "d"])
  }
}

@Suite("Memory for weights") struct WeightsMemoryTests {
  @Test("is that of the largest tensor, not of the file")
  func tensorsOneByOne() async throws {
    // 1 GiB in a file with holes instead of data, and room for a quarter of it.
    let folder = TemporaryFolder()
    let path = folder("large.safetensors")
    let count = 16, tensorBytes = 64 << 20
    let entries = (0..<count).map { index in
      "\"w\(index)\":{\"dtype\":\"F32\",\"shape\":[\(tensorBytes / 4)],\"data_offsets\":[\(index * tensorBytes),\((index + 1) * tensorBytes)]}"
    }
    let header = Array("{\(entries.joined(separator: ","))}".utf8)
    _ = try folder.write(
      withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header, to: "large.safetensors")
    #expect(truncate(path, 8 + header.count + count * tensorBytes) == 0)
    await #expect(processExitsWith: .success) { [path = path as String] in
      let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ").first
      let used = rlim_t(pages.flatMap { UInt($0) } ?? 0) * rlim_t(sysconf(Int32(_SC_PAGESIZE)))
      var limit = rlimit(rlim_cur: used + 256 << 20, rlim_max: used + 256 << 20)
      #expect(setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0)
      let file = try Safetensors.open(path: path)
      #expect(file.names.count == 16)
      for name in file.names { #expect(try file.tensor(name).bytes.count == 64 << 20) }
    }
  }

  @Test("of further names for one tensor is none, and a PyTorch file has it once")
  func furtherNames() throws {
    let folder = TemporaryFolder()
    let aliases = Dictionary(uniqueKeysWithValues: (0..<2000).map { ("alias.\($0)", "w") })
    let weights = NamedTensors(
      [("w", Tensor(float32: Array(repeating: 1, count: 50_000), shape: [50_000]))], metadata: aliases)
    let path = folder("many.ckpt")
    try TorchFile.writeStateDict(weights, to: path)
    #expect(try bytes(ofFile: path).count < 1_000_000)
    // 400 MB out of one: so many names nobody means.
    expectFailure(saying: "share their elements add up to more than 64 times the file") {
      try TorchFile.openStateDict(path: path)
    }
    var few = weights
    few.metadata = ["again": "w", "format": "pt"]
    try TorchFile.writeStateDict(few, to: path)
    let read = try TorchFile.readStateDict(path: path)
    #expect(read.names == ["w", "again"])
    #expect(read["again"] == weights["w"])
  }
}
