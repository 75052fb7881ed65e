import Diagnostics

/// A member of a zip file, as the central directory has it.
struct ZipMember {
  let name: String
  /// Where its local header starts.
  let headerOffset: Int
  /// Its size; members are stored, so packed and unpacked sizes agree.
  let byteCount: Int
  let crc32: UInt32
  /// Where the next member, or the central directory, starts: the payload must end before.
  var limit: Int
}

/// The central directory of a zip file whose members are all stored (APPNOTE.TXT 6.3, sections 4.3 and 4.5.3),
/// with zip64. PyTorch leaves the local headers without sizes, so this is the only place that has them.
struct ZipDirectory {
  let members: [ZipMember]
  private let positions: [String: Int]

  /// Reads the directory from the end of the file.
  ///
  /// - Throws: `.badData` if the file is truncated or split, or a member is compressed, encrypted, overlapping,
  ///   out of the file or listed twice.
  init(reading window: inout FileWindow) throws(Failure) {
    let path = window.file.path
    let end = try ZipEndRecord(reading: &window)
    let bytes = try window.bytes(at: end.directoryOffset, count: end.directoryByteCount)
    guard end.memberCount <= bytes.count / ZipFormat.centralHeaderByteCount else {
      throw Failure(
        .badData, "\(path): \(bytes.count) bytes of zip directory cannot list \(end.memberCount) members")
    }
    var members: [ZipMember] = []
    members.reserveCapacity(end.memberCount)
    var position = 0
    for _ in 0..<end.memberCount {
      var entry = try ZipCentralHeader(bytes, at: position, path: path)
      position = entry.end
      try entry.readZip64Sizes(from: bytes, path: path)
      members.append(try entry.member(path: path))
    }
    guard position == bytes.count else {
      throw Failure(.badData, "\(path): the zip directory has \(bytes.count - position) bytes left over")
    }
    try Self.setLimits(of: &members, directoryOffset: end.directoryOffset, path: path)
    var positions = [String: Int](minimumCapacity: members.count)
    for (index, member) in members.enumerated() {
      guard positions.updateValue(index, forKey: member.name) == nil else {
        throw Failure(.badData, "\(path): the zip member \(member.name.quoted) is listed twice")
      }
    }
    self.members = members
    self.positions = positions
  }

  /// The member with that name: O(1).
  subscript(name: String) -> ZipMember? { positions[name].map { members[$0] } }

  /// Where the member's payload starts. The local header is read, because its name and padding decide.
  func payloadOffset(of member: ZipMember, reading window: inout FileWindow) throws(Failure) -> Int {
    let path = window.file.path
    let nameByteCount = member.name.utf8.count
    // `limit` leaves room for the header and the name, see `setLimits`.
    let header = try window.bytes(
      at: member.headerOffset, count: ZipFormat.localHeaderByteCount + nameByteCount)
    guard header.littleEndian(UInt32.self, at: 0) == ZipFormat.localHeader,
      Int(header.littleEndian(UInt16.self, at: 26)) == nameByteCount,
      header.dropFirst(ZipFormat.localHeaderByteCount).elementsEqual(member.name.utf8)
    else {
      throw Failure(
        .badData, "\(path): no header of zip member \(member.name.quoted) at byte \(member.headerOffset)")
    }
    let flags = header.littleEndian(UInt16.self, at: 6)
    let method = header.littleEndian(UInt16.self, at: 8)
    try ZipFormat.checkStored(flags: flags, method: method, name: member.name, path: path)
    let extraByteCount = Int(header.littleEndian(UInt16.self, at: 28))
    let offset = member.headerOffset + header.count + extraByteCount
    guard offset <= member.limit, member.byteCount <= member.limit - offset else {
      throw Failure(
        .badData, "\(path): zip member \(member.name.quoted) overlaps what follows it at byte \(member.limit)"
      )
    }
    return offset
  }

  private static func setLimits(
    of members: inout [ZipMember], directoryOffset: Int, path: String
  ) throws(Failure) {
    let byOffset = members.indices.sorted { members[$0].headerOffset < members[$1].headerOffset }
    var limit = directoryOffset
    for index in byOffset.reversed() {
      let member = members[index]
      let overhead = ZipFormat.localHeaderByteCount + member.name.utf8.count
      guard member.headerOffset <= limit, overhead <= limit - member.headerOffset,
        member.byteCount <= limit - member.headerOffset - overhead
      else {
        throw Failure(
          .badData,
          "\(path): zip member \(member.name.quoted) (\(member.byteCount) bytes at byte \(member.headerOffset)) overlaps what follows it at byte \(limit)"
        )
      }
      members[index].limit = limit
      limit = member.headerOffset
    }
  }
}

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
