import Diagnostics
import Glibc
import TensorFiles
import TestSupport
import Testing

/// The CRC-32 of zip files, written out: an independent check of what the library writes, and what makes a damaged
/// pickle look sound.
func ownCRC32(_ bytes: [UInt8]) -> UInt32 {
  ~bytes.reduce(~0) { crc, byte in crc >> 8 ^ crcTable[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] }
}

private let crcTable: [UInt32] = (0..<256).map { index in
  (0..<8).reduce(UInt32(index)) { crc, _ in crc >> 1 ^ (crc & 1 == 1 ? 0xEDB8_8320 : 0) }
}

/// A zip file of stored members.
func zip(_ members: [(name: String, payload: [UInt8])]) -> [UInt8] {
  let layout = ZipLayout(
    members.map { ZipLayout.Member(name: $0.name, byteCount: $0.payload.count, crc32: ownCRC32($0.payload)) }
  )
  return zip(layout.localHeaders, members) + layout.directory
}

private func zip(_ headers: [[UInt8]], _ members: [(name: String, payload: [UInt8])]) -> [UInt8] {
  Swift.zip(headers, members).flatMap { $0 + $1.payload }
}

/// A PyTorch file with the given pickle and one storage, sound but for what they say.
func torchFile(pickle: [UInt8], storage: [UInt8] = []) -> [UInt8] {
  zip([("t/data.pkl", pickle), ("t/data/0", storage), ("t/version", Array("3\n".utf8))])
}

/// Pickle opcodes as text, for tests that write pickles by hand.
enum Pickle {
  static let start: [UInt8] = [0x80, 2]
  static let stop = Array(".".utf8)

  static func global(_ module: String, _ name: String) -> [UInt8] { Array("c\(module)\n\(name)\n".utf8) }
  static func string(_ text: String) -> [UInt8] {
    [0x58] + withUnsafeBytes(of: UInt32(text.utf8.count).littleEndian) { Array($0) } + Array(text.utf8)
  }
  /// LONG1 of eight bytes.
  static func integer(_ value: Int) -> [UInt8] {
    [0x8A, 8] + withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
  static func tuple(_ items: [UInt8]...) -> [UInt8] {
    Array("(".utf8) + items.flatMap { $0 } + Array("t".utf8)
  }
  static func tuple(_ items: [Int]) -> [UInt8] {
    Array("(".utf8) + items.flatMap { integer($0) } + Array("t".utf8)
  }
  static let orderedDictionary = global("collections", "OrderedDict") + Array(")R".utf8)

  static func storage(_ type: String = "FloatStorage", key: String = "0", count: Int) -> [UInt8] {
    tuple(string("storage"), global("torch", type), string(key), string("cpu"), integer(count))
      + Array("Q".utf8)
  }

  static func tensor(
    _ storage: [UInt8], offset: Int = 0, shape: [Int], stride: [Int]
  ) -> [UInt8] {
    global("torch._utils", "_rebuild_tensor_v2")
      + tuple(storage, integer(offset), tuple(shape), tuple(stride), [0x89], orderedDictionary)
      + Array("R".utf8)
  }

  static func whole(_ object: [UInt8]) -> [UInt8] { start + object + stop }
}

/// One scratch file, rewritten in place for every mutation of a fuzz test. It is never cut to nothing first: ext4
/// takes that for a replacement and flushes it to disk, five milliseconds each time.
final class ScratchFile {
  private let folder = TemporaryFolder()
  private let descriptor: Int32
  let path: String

  init() throws {
    path = folder("scratch")
    descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
    precondition(descriptor >= 0)
  }

  deinit { close(descriptor) }

  func replace(by bytes: [UInt8]) {
    precondition(bytes.isEmpty || pwrite(descriptor, bytes, bytes.count, 0) == bytes.count)
    precondition(ftruncate(descriptor, bytes.count) == 0)
  }
}

/// Runs a reader on foreign bytes: a value or a one-line `Failure` of bad data is fine, anything else is a defect.
@discardableResult
func expectValueOrFailure<Value>(
  of bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation, _ read: () throws -> Value
) -> Value? {
  do {
    return try read()
  } catch let failure as Failure where failure.kind == .badData && !failure.message.contains("\n") {
    return nil
  } catch {
    Issue.record("\(error) from \(bytes)", sourceLocation: sourceLocation)
    return nil
  }
}
