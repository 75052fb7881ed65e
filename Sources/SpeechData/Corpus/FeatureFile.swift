import Diagnostics
import TensorFiles

/// One utterance's `.pt` file: where its rows are, and reading them whole with every check.
enum FeatureFile {
  /// Where the [frames, 40] floats lie in the file.
  struct Location: Sendable {
    /// How rows and bins follow each other; strides in floats.
    enum Arrangement: Sendable {
      /// Rows of 40 bins, `stride` apart (40 when the tensor is contiguous).
      case rows(stride: Int)
      /// A transposed tensor: 40 columns of frames, `stride` apart.
      case columns(stride: Int)
    }

    /// Byte of the first element.
    let offset: Int
    let arrangement: Arrangement
    /// The file that was verified, so that one put in its place later is noticed.
    let version: InputFile.Version
  }

  /// The rows of an utterance, in the buffer they were read into.
  struct Rows {
    /// [frames, 40] floats, row-major.
    let bytes: UnsafeRawBufferPointer
    let checksum: UInt32
    let location: Location
  }

  /// What is read at a time of a storage that is larger than its tensor.
  private static let pieceByteCount = 1 << 18

  /// Reads and verifies the file `path` of `directory`.
  ///
  /// - Throws: missing input when it is not there; bad data, naming the file, when it is damaged, is not one
  ///   float32 tensor of shape [frames, 40], or holds a NaN or an infinity.
  static func read(_ path: String, frames: Int, in directory: String, _ buffer: FrameBuffer) throws -> Rows {
    let file = try InputFile(path: "\(directory)/\(path)")
    let tensor = try TorchFile.locateTensor(in: file)
    let location = try location(of: tensor, frames: frames, in: file)
    let rowBytes = frames * Corpus.homeworkFrameBytes

    // The checksum in the file is that of the whole storage, which may be larger than the tensor, and than memory.
    let isWhole = tensor.spanBytes == tensor.payloadBytes
    let memory = buffer.reserve(max(tensor.spanBytes, isWhole ? 0 : Self.pieceByteCount) + rowBytes)
    let span = UnsafeMutableRawBufferPointer(rebasing: memory[..<tensor.spanBytes])
    var storageCRC: UInt32?
    if tensor.storageCRC != nil, !isWhole {
      storageCRC = try file.checksum(
        of: tensor.storageOffset..<tensor.storageOffset + tensor.payloadBytes,
        by: UnsafeMutableRawBufferPointer(rebasing: memory[..<Self.pieceByteCount]))
    }
    try file.read(into: span, at: tensor.payloadOffset)
    if tensor.storageCRC != nil, isWhole { storageCRC = CRC32.checksum(UnsafeRawBufferPointer(span)) }
    guard storageCRC == tensor.storageCRC else {
      throw Failure(.badData, "\(file.path): is damaged: its CRC-32 does not match")
    }

    let rows: UnsafeRawBufferPointer
    let checksum: UInt32
    if tensor.isContiguous {
      rows = UnsafeRawBufferPointer(span)
      checksum = isWhole ? storageCRC ?? CRC32.checksum(rows) : CRC32.checksum(rows)
    } else {
      let gathered = UnsafeMutableRawBufferPointer(rebasing: memory.suffix(rowBytes))
      gather(span.baseAddress!, location.arrangement, frames: frames, into: gathered)
      rows = UnsafeRawBufferPointer(gathered)
      checksum = CRC32.checksum(rows)
    }
    if let element = rows.bindMemory(to: Float.self).firstNonFinite {
      let value = rows.load(fromByteOffset: element * 4, as: Float.self)
      throw Failure(
        .badData,
        "\(file.path): frame \(element / Corpus.homeworkBands), bin \(element % Corpus.homeworkBands) is \(value), not a finite number"
      )
    }
    return Rows(bytes: rows, checksum: checksum, location: location)
  }

  /// The checksum that `read` would find for the rows, without reading them, or nil when only reading tells.
  static func storedChecksum(_ path: String, frames: Int, in directory: String) throws -> UInt32? {
    let tensor = try TorchFile.locateTensor(path: "\(directory)/\(path)")
    let isWhole = tensor.isContiguous && tensor.payloadBytes == frames * Corpus.homeworkFrameBytes
    return isWhole ? tensor.storageCRC : nil
  }

  private static func location(
    of tensor: TorchFile.TensorLocation, frames: Int, in file: InputFile
  ) throws -> Location {
    let path = file.path
    func located(_ arrangement: Location.Arrangement) -> Location {
      Location(offset: tensor.payloadOffset, arrangement: arrangement, version: file.version)
    }
    guard tensor.elementType == .float32 else {
      throw Failure(
        .badData, "\(path): holds a tensor of \(tensor.elementType.rawValue), where F32 is expected")
    }
    guard tensor.shape == [frames, Corpus.homeworkBands] else {
      throw Failure(
        .badData,
        "\(path): holds a tensor of shape \(tensor.shape), where the index says [\(frames), \(Corpus.homeworkBands)]"
      )
    }
    if tensor.isContiguous {
      return located(.rows(stride: Corpus.homeworkBands))
    }
    // A stride of 0 repeats elements; such a tensor has a smaller storage than its shape says.
    switch (tensor.stride[0], tensor.stride[1]) {
    case (let stride, 1) where stride >= Corpus.homeworkBands:
      return located(.rows(stride: stride))
    case (1, let stride) where stride >= frames:
      return located(.columns(stride: stride))
    default:
      throw Failure(.badData, "\(path): holds a tensor of strides \(tensor.stride); save a contiguous() one")
    }
  }

  /// Copies strided elements into row-major order. Byte copies: nothing in a file has to be aligned.
  private static func gather(
    _ source: UnsafeMutableRawPointer, _ arrangement: Location.Arrangement, frames: Int,
    into rows: UnsafeMutableRawBufferPointer
  ) {
    let (frameStride, binStride) =
      switch arrangement {
      case .rows(let stride): (stride, 1)
      case .columns(let stride): (1, stride)
      }
    for t in 0..<frames {
      for b in 0..<Corpus.homeworkBands {
        let value = source.loadUnaligned(
          fromByteOffset: 4 * (t * frameStride + b * binStride), as: UInt32.self)
        rows.storeBytes(of: value, toByteOffset: 4 * (t * Corpus.homeworkBands + b), as: UInt32.self)
      }
    }
  }
}

/// Memory for the frames of one utterance, reused from utterance to utterance by one thread.
public final class FrameBuffer {
  private(set) var bytes: UnsafeMutableRawBufferPointer

  init() { bytes = .allocate(byteCount: 0, alignment: 64) }

  deinit { bytes.deallocate() }

  /// At least `count` bytes, aligned to 64; what they held before is lost when they had to grow.
  public func reserve(_ count: Int) -> UnsafeMutableRawBufferPointer {
    if bytes.count < count {
      bytes.deallocate()
      bytes = .allocate(byteCount: max(count, 1 << 18), alignment: 64)
    }
    return UnsafeMutableRawBufferPointer(rebasing: bytes[..<count])
  }
}

extension UnsafeBufferPointer<Float> {
  /// The position of the first NaN or infinity.
  var firstNonFinite: Int? {
    // All finite numbers, and only they, have a magnitude below that of infinity as integers. A maximum of
    // integers is a loop that compilers vectorise; a search with an early exit is not.
    let infinity = Int32(bitPattern: Float.infinity.bitPattern)
    var largest: Int32 = 0
    for value in self { largest = Swift.max(largest, Int32(bitPattern: value.bitPattern & 0x7FFF_FFFF)) }
    return largest < infinity ? nil : firstIndex { !$0.isFinite }
  }
}
