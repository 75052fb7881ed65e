import Diagnostics
import Foundation
import TensorFiles
import TestSupport
import Testing

import Verification

@Suite("Files of embeddings") struct EmbeddingFileTests {
  private let folder = TemporaryFolder.inMemory()

  private static let set = try! EmbeddingSet(
    keys: ["a/1.wav", "b", "ü"], width: 2, values: [1, -2.5, 3e-8, 4, 0, 7], source: "test")

  @Test("what is written is read, in each format", arguments: ["safetensors", "npy", "ark"])
  func roundTrip(_ ending: String) throws {
    let path = folder("e.\(ending)")
    try Self.set.write(to: path)
    #expect(try EmbeddingSet(reading: path) == Self.set)
    #expect(
      Set(folder.contents) == Set(EmbeddingSet.files(of: path).map { ($0 as NSString).lastPathComponent }))
    if ending == "ark" { #expect(try EmbeddingSet(reading: folder("e.scp")) == Self.set) }
  }

  @Test("a table is found from its own folder too, in any order") func table() throws {
    try Self.set.write(to: folder("e.ark"))
    try folder.write("b e.ark:34\n", to: "t.scp")
    let offset = try #require(folder.text("e.scp")?.split(separator: "\n")[1].split(separator: ":").last)
    try folder.write("b e.ark:\(offset)\n", to: "t.scp")
    #expect(try EmbeddingSet(reading: folder("t.scp")).values == [3e-8, 4])
    for (line, words) in [
      ("b e.ark", "t.scp:1: expected 'key archive:offset'"), ("b e.ark:9999", "t.scp:1: "),
      ("b e.ark:3", "begins with \\0B"), ("b gone.ark:1", "t.scp:1: gone.ark: no such file"),
      ("", "holds no vectors"),
    ] {
      try folder.write(line + "\n", to: "t.scp")
      expectFailure(line.contains("gone") ? .missingInput : .badData, saying: words) {
        try EmbeddingSet(reading: folder("t.scp"))
      }
    }
  }

  /// As kaldiio writes vectors and matrices.
  @Test("vectors and matrices of one row are read, of floats or doubles; other things are refused")
  func kaldi() throws {
    func ark(_ type: String, _ sizes: [UInt8], _ values: Tensor) -> [UInt8] {
      Array("k \0B\(type) ".utf8) + sizes.flatMap { [4, $0, 0, 0, 0] } + values.bytes
    }
    let floats = Tensor(float32: [1, 2], shape: [2]), doubles = Tensor(float64: [1, 2], shape: [2])
    for bytes in [
      ark("FV", [2], floats), ark("DV", [2], doubles), ark("FM", [1, 2], floats), ark("DM", [1, 2], doubles),
    ] {
      let read = try EmbeddingSet(reading: folder.write(bytes, to: "k.ark"))
      #expect(read.keys == ["k"] && read.values == [1, 2])
    }
    for (bytes, words) in [
      (ark("FM", [2, 1], floats), "is a matrix of 2 rows"), (ark("CM", [2], floats), "expected FV or DV"),
      (ark("FV", [3], floats), "is cut off"), (ark("FV", [0], floats), "has 0 values"),
      (Array("k [ 1 2 ]\n".utf8), "texts are not read"), (ark("FV", [2], floats) + [1], "expected a key"),
    ] {
      let path = try folder.write(bytes, to: "k.ark")
      expectFailure(saying: words) { try EmbeddingSet(reading: path) }
    }
  }

  @Test("NumPy's arrays are read: doubles, Fortran order, one dimension") func numpy() throws {
    func npy(_ header: String, _ values: [UInt8]) throws -> String {
      let bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0]
      return try folder.write(bytes + Array(header.utf8) + values, to: "n.npy")
    }
    let four = Tensor(float32: [1, 2, 3, 4], shape: [4]).bytes
    #expect(
      try NumpyArray(reading: npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }\n", four))
        .values
        == [1, 3, 2, 4])
    let doubles = Tensor(float64: [1, 2], shape: [2]).bytes
    let vector = try NumpyArray(
      reading: npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n", doubles))
    #expect(vector == NumpyArray(shape: [2], values: [1, 2]))
    for (header, words) in [
      ("{'descr': '<i4', 'fortran_order': False, 'shape': (4,), }", "holds \"<i4\" values"),
      ("{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }", "does not fit"),
      ("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 16), }", "does not fit"),
      ("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 2), }", "has 3 dimensions"),
      ("{}", "its header"),
    ] {
      let path = try npy(header, four)
      expectFailure(saying: words) { try NumpyArray(reading: path) }
    }
    #expect(NumpyArray(shape: [1, 1], values: [5]).serialized.count == 132)
  }

  @Test("keys that do not fit, come twice or cannot be written are told") func keys() throws {
    try NumpyArrayFile.write(to: folder("x.npy"))
    try folder.write("a\nb\nc\n", to: "x.npy.keys")
    expectFailure(saying: "has 3 keys, but") { try EmbeddingSet(reading: folder("x.npy")) }
    try folder.write("a\na\n", to: "x.npy.keys")
    expectFailure(saying: "\"a\" comes twice, as embedding 1 and 2") {
      try EmbeddingSet(reading: folder("x.npy"))
    }
    let blank = try EmbeddingSet(keys: ["a b"], width: 1, values: [1], source: "test")
    for ending in ["npy", "ark"] {
      expectFailure(.usage, saying: "\"a b\" cannot be written there") {
        try blank.write(to: folder("y.\(ending)"))
      }
    }
    try blank.write(to: folder("y.safetensors"))
    #expect(try EmbeddingSet(reading: folder("y.safetensors")).keys == ["a b"])
    expectFailure(.usage, saying: "expected a file called") { try EmbeddingSet(reading: "e.txt") }
    expectFailure(saying: "\"a\" holds nan") {
      try EmbeddingSet(keys: ["a"], width: 1, values: [.nan], source: "test")
    }
  }

  private enum NumpyArrayFile {
    static func write(to path: String) throws {
      try FileWriting.writeAtomically(NumpyArray(shape: [2, 1], values: [1, 2]).serialized, to: path)
    }
  }

  @Test("a damaged file is read or refused, and never more", arguments: ["safetensors", "npy", "ark", "scp"])
  func fuzz(_ ending: String) throws {
    let path = folder("f.\(ending == "scp" ? "ark" : ending)")
    try Self.set.write(to: path)
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: folder("f.\(ending)"))))
    var random = SeededGenerator(seed: 22)
    var refused = 0
    for _ in 0..<1_500 {
      let damaged = try folder.write(bytes.mutated(using: &random), to: "f.\(ending)")
      do {
        let read = try EmbeddingSet(reading: damaged)
        #expect(read.values.count == read.count * read.width)
      } catch {
        // A damaged name of an archive is one that is not there.
        #expect(error.kind == .badData || (ending == "scp" && error.kind != .usage), "\(error)")
        refused += 1
      }
    }
    #expect(refused > 300)
  }
}
