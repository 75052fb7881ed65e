import Diagnostics
import TensorFiles
import TestSupport
import Testing

/// A sound file and where its parts are, to be damaged one field at a time.
private struct Specimen {
  let bytes: [UInt8]
  let end: Int
  /// Central headers of data.pkl, data/0 and version.
  let entries: [Int]

  init() {
    let file = torchFile(
      pickle: Pickle.whole(Pickle.tensor(Pickle.storage(count: 4), shape: [2, 2], stride: [2, 1])),
      storage: Array(repeating: 1, count: 16))
    bytes = file
    end = file.count - 22
    entries = file.ranges(of: [0x50, 0x4B, 1, 2]).map(\.lowerBound)
  }

  func read(_ changes: [Int: UInt8]) throws -> Tensor {
    var damaged = bytes
    for (offset, byte) in changes { damaged[offset] = byte }
    return try Self.read(damaged)
  }

  static func read(_ bytes: [UInt8]) throws -> Tensor {
    let folder = TemporaryFolder()
    return try TorchFile.readTensor(path: try folder.write(bytes, to: "t.pt"))
  }
}

@Suite struct ZipMalformed {
  private let specimen = Specimen()

  @Test("the file that is damaged here is sound before") func soundness() throws {
    #expect(try specimen.read([:]).shape == [2, 2])
  }

  /// A file cut anywhere is never read as anything.
  @Test("a file that is cut anywhere is refused by its name") func truncations() throws {
    for name in ["plain.pt", "transposed.pt", "restored.pt"] {
      let whole = try bytes(ofFile: fixture(name))
      let scratch = try ScratchFile()
      for count in whole.indices {
        scratch.replace(by: Array(whole[..<count]))
        expectFailure(saying: scratch.path) { try TorchFile.readTensor(path: scratch.path) }
        expectFailure(saying: scratch.path) { try TorchFile.locateTensor(path: scratch.path) }
      }
    }
  }

  @Test("a damaged end record is refused with what is wrong in it") func endRecords() throws {
    let end = specimen.end
    expectFailure(saying: "no zip end record") { try specimen.read([end: 0]) }
    expectFailure(saying: "no zip end record") { try specimen.read([end + 20: 1]) }
    expectFailure(saying: "split over several") { try specimen.read([end + 4: 1]) }
    expectFailure(saying: "split over several") { try specimen.read([end + 8: 2]) }
    expectFailure(saying: "left over") { try specimen.read([end + 8: 2, end + 10: 2]) }
    expectFailure(saying: "cannot list 4 members") { try specimen.read([end + 8: 4, end + 10: 4]) }
    expectFailure(saying: "cannot list") { try specimen.read([end + 8: 255, end + 10: 255]) }
    expectFailure(saying: "does not end where") { try specimen.read([end + 12: 0]) }
    expectFailure(saying: "does not end where") { try specimen.read([end + 19: 0x7F]) }
  }

  @Test("a damaged directory entry is refused with what is wrong in it") func centralHeaders() throws {
    let entry = specimen.entries[1]
    expectFailure(saying: "directory is damaged") { try specimen.read([entry: 0]) }
    expectFailure(saying: "directory is damaged") { try specimen.read([entry + 33: 0xFF]) }
    expectFailure(saying: "is encrypted") { try specimen.read([entry + 8: 1]) }
    expectFailure(saying: "is deflated") { try specimen.read([entry + 10: 8]) }
    expectFailure(saying: "compressed with method 12") { try specimen.read([entry + 10: 12]) }
    expectFailure(saying: "another part of a split") { try specimen.read([entry + 34: 1]) }
    expectFailure(saying: "20 packed and 16 unpacked") { try specimen.read([entry + 20: 20]) }
    expectFailure(saying: "lacks its zip64 sizes") {
      try specimen.read([entry + 24: 255, entry + 25: 255, entry + 26: 255, entry + 27: 255])
    }
    expectFailure(saying: "overlaps") { try specimen.read([entry + 20: 255, entry + 24: 255]) }
    expectFailure(saying: "overlaps") { try specimen.read([entry + 45: 0x7F]) }
    expectFailure(saying: "no header of zip member \"t/data/0\"") {
      try specimen.read([entry + 42: specimen.bytes[entry + 42] + 1])
    }
    expectFailure(saying: "damaged: its CRC-32") {
      try specimen.read([entry + 16: specimen.bytes[entry + 16] ^ 1])
    }
    // data/0 becomes data/1.
    expectFailure(saying: "no member \"t/data/0\"") { try specimen.read([entry + 46 + 7: UInt8(ascii: "1")]) }
    expectFailure(saying: "top folder") { try specimen.read([entry + 46: UInt8(ascii: "u")]) }
  }

  @Test("a changed byte of a tensor or of the pickle is noticed by its checksum") func payloads() throws {
    let payload = try #require(specimen.bytes.firstRange(of: Array(repeating: 1, count: 16))).lowerBound
    expectFailure(saying: "\"data/0\" is damaged: its CRC-32") { try specimen.read([payload: 2]) }
    let pickle = try #require(specimen.bytes.firstRange(of: Array("FloatStorage".utf8))).lowerBound
    expectFailure(saying: "\"t/data.pkl\" is damaged: its CRC-32") {
      try specimen.read([pickle: UInt8(ascii: "H")])
    }
  }

  @Test("members that are missing, doubled, outside the folder or of another size are refused") func members()
    throws
  {
    let pickle = Pickle.whole(Pickle.tensor(Pickle.storage(count: 4), shape: [4], stride: [1]))
    let storage = [UInt8](repeating: 0, count: 16)
    let version = Array("3\n".utf8)
    expectFailure(saying: "listed twice") {
      try Specimen.read(
        zip([("t/data.pkl", pickle), ("t/data/0", storage), ("t/data/0", storage), ("t/version", version)]))
    }
    expectFailure(saying: "without PyTorch's data.pkl and version") {
      try Specimen.read(zip([("t/data.pkl", pickle), ("t/data/0", storage)]))
    }
    expectFailure(saying: "without PyTorch's data.pkl and version") {
      try Specimen.read(zip([("t/data/0", storage), ("t/version", version)]))
    }
    expectFailure(saying: "top folder") { try Specimen.read(zip([])) }
    expectFailure(saying: "top folder") {
      try Specimen.read(zip([("data.pkl", pickle), ("data/0", storage), ("version", version)]))
    }
    expectFailure(saying: "\"t/data/0\" has 16 bytes, 5 elements of F32 take 20") {
      try Specimen.read(
        torchFile(
          pickle: Pickle.whole(Pickle.tensor(Pickle.storage(count: 5), shape: [5], stride: [1])),
          storage: storage))
    }
  }
}
