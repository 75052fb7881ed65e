import Diagnostics
import Glibc

/// The bytes of a sound as a library reads them: from a place that it moves.
///
/// A failure cannot pass through the library. It is kept, nothing more is read, and whoever called the library asks.
final class ByteCursor {
  /// Why reading failed.
  private(set) var failure: Failure?
  /// How many bytes there are.
  var count: Int { bytes.count }
  private(set) var position = 0

  private let bytes: SoundBytes
  /// What was read ahead, as libraries ask for four bytes at a time.
  private let block: UnsafeMutableRawBufferPointer
  private var blockRange = 0..<0

  init(_ bytes: SoundBytes) {
    self.bytes = bytes
    block = .allocate(byteCount: 1 << 14, alignment: 64)
  }

  deinit { block.deallocate() }

  /// The cursor behind a library's pointer.
  static func behind(_ pointer: UnsafeMutableRawPointer?) -> ByteCursor {
    Unmanaged<ByteCursor>.fromOpaque(pointer!).takeUnretainedValue()
  }

  /// The pointer for a library; the cursor must live as long as it is used.
  var pointer: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

  /// As `read(2)`, which gives fewer bytes at the end and none behind it.
  func read(_ wanted: Int, into target: UnsafeMutableRawPointer?) -> Int {
    guard let target, failure == nil else { return 0 }
    let count = min(max(0, wanted), self.count - position)
    var done = 0
    do throws(Failure) {
      while done < count {
        if !blockRange.contains(position) {
          blockRange = position..<position
          let size = min(block.count, self.count - position)
          let there = try bytes.read(
            into: UnsafeMutableRawBufferPointer(rebasing: block[..<size]), at: position)
          blockRange = position..<position + there
        }
        let part = min(count - done, blockRange.upperBound - position)
        guard part > 0 else { break }
        (target + done).copyMemory(
          from: block.baseAddress! + (position - blockRange.lowerBound), byteCount: part)
        done += part
        position += part
      }
    } catch {
      failure = error
    }
    return done
  }

  /// As `lseek(2)`, but for places behind the end.
  func seek(_ offset: Int, _ whence: Int32) -> Int {
    let base =
      switch whence {
      case SEEK_CUR: position
      case SEEK_END: count
      default: 0
      }
    let (target, hasOverflown) = base.addingReportingOverflow(offset)
    guard !hasOverflown, (0...count).contains(target) else { return -1 }
    position = target
    return target
  }
}
