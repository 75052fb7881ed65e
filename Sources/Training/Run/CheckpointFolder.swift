import Diagnostics
import TensorFiles

/// One folder of safetensors files and a `state.json` that vouches for them: a checkpoint, or `best`.
enum CheckpointFolder {
  /// Writes the files, flushed to disk, into a folder that is there.
  static func write(
    _ files: [(name: String, tensors: NamedTensors)], progress: RunProgress, to folder: String,
    advance: () -> Void = {}
  ) throws {
    var fingerprints: [(name: String, fingerprint: CheckpointState.Fingerprint)] = []
    for file in files {
      let bytes = Safetensors.serialize(file.tensors)
      try write(bytes, to: "\(folder)/\(file.name)", advance: advance)
      fingerprints.append((file.name, .init(byteCount: bytes.count, crc32: CRC32.checksum(bytes))))
    }
    let state = CheckpointState(progress: progress, files: fingerprints)
    try FileWriting.writeAtomically(
      Array((state.json.serialized(indent: 2) + "\n").utf8), to: "\(folder)/state.json")
  }

  /// Writes a file in pieces, each of which is on disk before the next is begun: a slow disk gets on visibly.
  private static func write(_ bytes: [UInt8], to path: String, advance: () -> Void) throws {
    try FileWriting.writeAtomically(to: path) { sink throws(Failure) in
      for start in stride(from: 0, to: bytes.count, by: pieceByteCount) {
        try sink.write(Array(bytes[start..<min(bytes.count, start + pieceByteCount)]))
        try sink.synchronize()
        advance()
      }
    }
  }

  private static let pieceByteCount = 4 << 20

  /// Reads `state.json`.
  static func state(of folder: String) throws -> CheckpointState {
    let path = "\(folder)/state.json"
    return try CheckpointState(JSON.read(path: path), file: path)
  }

  /// Reads one of the files, after its size and checksum have been found to be right.
  static func tensors(_ name: String, of folder: String, state: CheckpointState) throws -> NamedTensors {
    let path = "\(folder)/\(name)"
    guard let expected = state.files.first(where: { $0.name == name })?.fingerprint else {
      throw Failure(.badData, "\(folder)/state.json: files: there is no entry for \(name)")
    }
    let file = try InputFile(path: path)
    guard file.byteCount == expected.byteCount else {
      throw Failure(
        .badData, "\(path): expected \(expected.byteCount) bytes, found \(file.byteCount)")
    }
    let bytes = try file.read(at: 0, count: file.byteCount)
    guard CRC32.checksum(bytes) == expected.crc32 else {
      throw Failure(.badData, "\(path): the checksum is not the one in state.json: the file was damaged")
    }
    return try Safetensors.parse(bytes, name: path)
  }
}
