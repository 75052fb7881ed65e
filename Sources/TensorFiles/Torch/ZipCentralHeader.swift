import Diagnostics

/// One entry of the central directory.
struct ZipCentralHeader {
  /// Where the next entry starts.
  let end: Int

  private let name: String
  private let flags: UInt16
  private let method: UInt16
  private let crc32: UInt32
  private let disk: UInt16
  private let extra: Range<Int>
  private var packedByteCount: UInt64
  private var byteCount: UInt64
  private var headerOffset: UInt64

  init(_ bytes: [UInt8], at start: Int, path: String) throws(Failure) {
    let fixed = ZipFormat.centralHeaderByteCount
    guard bytes.count - start >= fixed, bytes.littleEndian(UInt32.self, at: start) == ZipFormat.centralHeader
    else { throw Failure(.badData, "\(path): the zip directory is damaged \(start) bytes after its start") }
    let nameByteCount = Int(bytes.littleEndian(UInt16.self, at: start + 28))
    let extraByteCount = Int(bytes.littleEndian(UInt16.self, at: start + 30))
    let commentByteCount = Int(bytes.littleEndian(UInt16.self, at: start + 32))
    let nameStart = start + fixed
    extra = (nameStart + nameByteCount)..<(nameStart + nameByteCount + extraByteCount)
    end = extra.upperBound + commentByteCount
    guard end <= bytes.count,
      let name = String(validating: bytes[nameStart..<extra.lowerBound], as: UTF8.self)
    else { throw Failure(.badData, "\(path): the zip directory is damaged \(start) bytes after its start") }
    self.name = name
    flags = bytes.littleEndian(UInt16.self, at: start + 8)
    method = bytes.littleEndian(UInt16.self, at: start + 10)
    crc32 = bytes.littleEndian(UInt32.self, at: start + 16)
    packedByteCount = UInt64(bytes.littleEndian(UInt32.self, at: start + 20))
    byteCount = UInt64(bytes.littleEndian(UInt32.self, at: start + 24))
    disk = bytes.littleEndian(UInt16.self, at: start + 34)
    headerOffset = UInt64(bytes.littleEndian(UInt32.self, at: start + 42))
  }

  /// Replaces the fields that are all ones by the 64-bit ones of the extra field, which has only those,
  /// in this order.
  mutating func readZip64Sizes(from bytes: [UInt8], path: String) throws(Failure) {
    let marker = UInt64(UInt32.max)
    guard byteCount == marker || packedByteCount == marker || headerOffset == marker else { return }
    let damaged = Failure(.badData, "\(path): zip member \(name.quoted) lacks its zip64 sizes")
    var position = extra.lowerBound
    while extra.upperBound - position >= 4 {
      let field = bytes.littleEndian(UInt16.self, at: position)
      let fieldEnd = position + 4 + Int(bytes.littleEndian(UInt16.self, at: position + 2))
      guard fieldEnd <= extra.upperBound else { throw damaged }
      guard field == ZipFormat.zip64ExtraField else {
        position = fieldEnd
        continue
      }
      position += 4
      for field in [\Self.byteCount, \Self.packedByteCount, \Self.headerOffset]
      where self[keyPath: field] == marker {
        guard fieldEnd - position >= 8 else { throw damaged }
        self[keyPath: field] = bytes.littleEndian(UInt64.self, at: position)
        position += 8
      }
      return
    }
    throw damaged
  }

  /// The member, if it is stored as it is in this one file. Its `limit` is still open.
  func member(path: String) throws(Failure) -> ZipMember {
    try ZipFormat.checkStored(flags: flags, method: method, name: name, path: path)
    guard disk == 0 else {
      throw Failure(.badData, "\(path): zip member \(name.quoted) lies in another part of a split zip file")
    }
    guard byteCount == packedByteCount, let size = Int(exactly: byteCount),
      let offset = Int(exactly: headerOffset)
    else {
      throw Failure(
        .badData,
        "\(path): zip member \(name.quoted) is stored but claims \(packedByteCount) packed and \(byteCount) unpacked bytes"
      )
    }
    return ZipMember(name: name, headerOffset: offset, byteCount: size, crc32: crc32, limit: 0)
  }
}
