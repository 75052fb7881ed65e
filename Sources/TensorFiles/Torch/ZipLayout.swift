/// The headers of a zip file of stored members, from names, sizes and checksums alone: what a writer puts around
/// the payloads. Payloads start at multiples of 64, as PyTorch's do, so that they can be mapped; sizes stand in the
/// local headers too; zip64 fields appear where a size or offset needs them.
package struct ZipLayout {
  /// A member to be written.
  package struct Member {
    let name: String
    let byteCount: Int
    let crc32: UInt32

    package init(name: String, byteCount: Int, crc32: UInt32) {
      self.name = name
      self.byteCount = byteCount
      self.crc32 = crc32
    }
  }

  /// What precedes each payload; written in order with the payloads between.
  package private(set) var localHeaders: [[UInt8]] = []
  /// Where each payload starts.
  package private(set) var payloadOffsets: [Int] = []
  /// The central directory and the end records, which follow the last payload.
  package private(set) var directory: [UInt8] = []

  private static let alignment = 64
  private static let marker = Int(UInt32.max)
  /// 1980-01-01: a file's bytes must not depend on when it is written.
  private static let date: UInt16 = 1 << 5 | 1

  /// - Precondition: names are unique and shorter than 65,000 bytes.
  package init(_ members: [Member]) {
    var offset = 0
    for member in members {
      let header = Self.localHeader(member, at: offset)
      localHeaders.append(header)
      payloadOffsets.append(offset + header.count)
      directory += Self.centralHeader(member, at: offset)
      offset += header.count + member.byteCount
    }
    directory += Self.endRecords(
      directoryOffset: offset, directoryByteCount: directory.count, memberCount: members.count)
  }

  private static func localHeader(_ member: Member, at offset: Int) -> [UInt8] {
    var extra: [UInt8] = []
    if member.byteCount >= marker {
      extra = zip64Field([member.byteCount, member.byteCount])
    }
    let unpadded = offset + ZipFormat.localHeaderByteCount + member.name.utf8.count + extra.count + 4
    let padding = (alignment - unpadded % alignment) % alignment
    extra.append(littleEndian: ZipFormat.paddingExtraField)
    extra.append(littleEndian: UInt16(padding))
    extra += Array(repeating: UInt8(ascii: "Z"), count: padding)

    var header = [UInt8](littleEndian: ZipFormat.localHeader)
    appendCommonFields(member, needsZip64: member.byteCount >= marker, to: &header)
    header.append(littleEndian: UInt16(extra.count))
    return header + Array(member.name.utf8) + extra
  }

  private static func centralHeader(_ member: Member, at offset: Int) -> [UInt8] {
    var large = member.byteCount >= marker ? [member.byteCount, member.byteCount] : []
    if offset >= marker { large.append(offset) }
    let extra = large.isEmpty ? [] : zip64Field(large)

    var header = [UInt8](littleEndian: ZipFormat.centralHeader)
    header.append(littleEndian: UInt16(45))  // made by version 4.5, on DOS: no permissions
    appendCommonFields(member, needsZip64: !large.isEmpty, to: &header)
    header.append(littleEndian: UInt16(extra.count))
    header.append(littleEndian: UInt16(0))  // comment
    header.append(littleEndian: UInt16(0))  // disk
    header.append(littleEndian: UInt16(0))  // internal attributes
    header.append(littleEndian: UInt32(0))  // external attributes
    header.append(littleEndian: UInt32(min(offset, marker)))
    return header + Array(member.name.utf8) + extra
  }

  /// The fields that local and central header share, from the version needed to the length of the name.
  private static func appendCommonFields(_ member: Member, needsZip64: Bool, to header: inout [UInt8]) {
    header.append(littleEndian: UInt16(needsZip64 ? 45 : 20))
    header.append(littleEndian: UInt16(0x0800))  // names in UTF-8
    header.append(littleEndian: UInt16(0))  // stored
    header.append(littleEndian: UInt16(0))  // midnight
    header.append(littleEndian: date)
    header.append(littleEndian: member.crc32)
    header.append(littleEndian: UInt32(min(member.byteCount, marker)))
    header.append(littleEndian: UInt32(min(member.byteCount, marker)))
    header.append(littleEndian: UInt16(member.name.utf8.count))
  }

  private static func zip64Field(_ values: [Int]) -> [UInt8] {
    var field = [UInt8](littleEndian: ZipFormat.zip64ExtraField)
    field.append(littleEndian: UInt16(values.count * 8))
    for value in values { field.append(littleEndian: UInt64(value)) }
    return field
  }

  private static func endRecords(directoryOffset: Int, directoryByteCount: Int, memberCount: Int) -> [UInt8] {
    var records: [UInt8] = []
    let smallCount = Int(UInt16.max)
    if directoryOffset >= marker || directoryByteCount >= marker || memberCount >= smallCount {
      records.append(littleEndian: ZipFormat.zip64EndRecord)
      records.append(littleEndian: UInt64(ZipFormat.zip64EndRecordByteCount - 12))
      records.append(littleEndian: UInt16(45))
      records.append(littleEndian: UInt16(45))
      records.append(littleEndian: UInt64(0))  // this disk and the directory's
      for value in [memberCount, memberCount, directoryByteCount, directoryOffset] {
        records.append(littleEndian: UInt64(value))
      }
      records.append(littleEndian: ZipFormat.zip64Locator)
      records.append(littleEndian: UInt32(0))
      records.append(littleEndian: UInt64(directoryOffset + directoryByteCount))
      records.append(littleEndian: UInt32(1))
    }
    records.append(littleEndian: ZipFormat.endRecord)
    records.append(littleEndian: UInt32(0))  // this disk and the directory's
    for _ in 0..<2 { records.append(littleEndian: UInt16(min(memberCount, smallCount))) }
    records.append(littleEndian: UInt32(min(directoryByteCount, marker)))
    records.append(littleEndian: UInt32(min(directoryOffset, marker)))
    records.append(littleEndian: UInt16(0))  // comment
    return records
  }
}
