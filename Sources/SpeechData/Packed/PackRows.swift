import Diagnostics
import TensorFiles

/// Where the rows of a corpus come from that is packed. Called from several threads at a time.
public protocol PackRows: Sendable {
  /// What messages call it: the folder of the data.
  var name: String { get }

  /// The rows of one utterance and their CRC-32.
  ///
  /// - Parameters:
  ///   - index: its position in `PackContents.utterances`, or in `tests`.
  ///   - buffer: memory of the calling thread that the rows may be read into; they are used before it is lent again.
  /// - Returns: [frames, bands] float32, row-major, little-endian, all finite.
  func rows(
    _ kind: PackKind, _ index: Int, _ buffer: FrameBuffer
  ) throws -> (bytes: UnsafeRawBufferPointer, checksum: UInt32)

  /// The checksum that `rows` would find, without reading them; nil when only reading tells.
  func checksum(_ kind: PackKind, _ index: Int) throws -> UInt32?
}

/// The rows of the homework's directory, one `.pt` file an utterance.
struct FeatureRows: PackRows {
  let name: String
  private let contents: PackContents

  init(directory: String, _ contents: PackContents) {
    name = directory
    self.contents = contents
  }

  func rows(
    _ kind: PackKind, _ index: Int, _ buffer: FrameBuffer
  ) throws -> (bytes: UnsafeRawBufferPointer, checksum: UInt32) {
    let utterance = contents.list(kind)[index]
    let rows = try FeatureFile.read(utterance.path, frames: utterance.frames, in: name, buffer)
    return (rows.bytes, rows.checksum)
  }

  func checksum(_ kind: PackKind, _ index: Int) throws -> UInt32? {
    let utterance = contents.list(kind)[index]
    return try FeatureFile.storedChecksum(utterance.path, frames: utterance.frames, in: name)
  }
}
