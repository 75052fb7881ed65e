import Diagnostics

/// The samples of a WAV file.
///
/// Read and not mapped: a file that becomes shorter meanwhile is then an error and no signal, and from the page cache
/// it is as fast.
final class WaveDecoder: SampleDecoder {
  private let bytes: SoundBytes
  private let header: WaveHeader
  /// Receives a file's bytes before they become samples.
  private let block: UnsafeMutableRawBufferPointer
  /// The frame that is read next.
  private var position = 0

  var rate: Int { header.rate }
  var channels: Int { header.channels }
  var frames: Int? { header.frames }
  var mayBeNonFinite: Bool { header.encoding == .float32 || header.encoding == .float64 }
  var shortfall: String? { header.shortfall }

  init(_ bytes: SoundBytes) throws(Failure) {
    header = try WaveHeader(bytes)
    self.bytes = bytes
    block = .allocate(byteCount: max(1 << 16, header.bytesPerFrame), alignment: 64)
  }

  deinit { block.deallocate() }

  func decode(into buffer: UnsafeMutableBufferPointer<Float>) throws(Failure) -> Int {
    let size = header.bytesPerFrame
    let count = min(buffer.count / channels, header.frames - position, block.count / size)
    guard count > 0 else { return 0 }
    _ = try bytes.read(
      into: UnsafeMutableRawBufferPointer(rebasing: block[..<(count * size)]),
      at: header.offset + position * size)
    header.encoding.decode(block.baseAddress!, count * channels, into: buffer.baseAddress!)
    position += count
    return count
  }

  func seek(toFrame frame: Int) -> Bool {
    position = frame
    return true
  }

  func rewind() { position = 0 }
}

extension WaveHeader.Encoding {
  /// Makes samples of their bytes.
  ///
  /// - Parameter bytes: at an address fit for any number.
  fileprivate func decode(_ bytes: UnsafeRawPointer, _ count: Int, into samples: UnsafeMutablePointer<Float>)
  {
    switch self {
    case .unsigned8:
      for n in 0..<count {
        samples[n] = (Float(bytes.load(fromByteOffset: n, as: UInt8.self)) - 128) * 0x1p-7
      }
    case .integer16:
      let values = bytes.assumingMemoryBound(to: Int16.self)
      for n in 0..<count { samples[n] = Float(Int16(littleEndian: values[n])) * 0x1p-15 }
    case .integer24:
      let values = bytes.assumingMemoryBound(to: UInt8.self)
      for n in 0..<count {
        let low = UInt32(values[3 * n]) << 8 | UInt32(values[3 * n + 1]) << 16
        let bits = low | UInt32(values[3 * n + 2]) << 24
        samples[n] = Float(Int32(bitPattern: bits) >> 8) * 0x1p-23
      }
    case .integer32:
      let values = bytes.assumingMemoryBound(to: Int32.self)
      for n in 0..<count { samples[n] = Float(Int32(littleEndian: values[n])) * 0x1p-31 }
    case .float32:
      let values = bytes.assumingMemoryBound(to: UInt32.self)
      for n in 0..<count { samples[n] = Float(bitPattern: UInt32(littleEndian: values[n])) }
    case .float64:
      let values = bytes.assumingMemoryBound(to: UInt64.self)
      for n in 0..<count { samples[n] = Float(Double(bitPattern: UInt64(littleEndian: values[n]))) }
    }
  }
}
