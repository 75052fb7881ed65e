import Diagnostics

/// Signatures, sizes and the rules common to reader and writer (APPNOTE.TXT 6.3).
enum ZipFormat {
  static let localHeader: UInt32 = 0x0403_4B50
  static let centralHeader: UInt32 = 0x0201_4B50
  static let endRecord: UInt32 = 0x0605_4B50
  static let zip64EndRecord: UInt32 = 0x0606_4B50
  static let zip64Locator: UInt32 = 0x0706_4B50

  static let localHeaderByteCount = 30
  static let centralHeaderByteCount = 46
  static let endRecordByteCount = 22
  static let zip64EndRecordByteCount = 56
  static let zip64LocatorByteCount = 20

  static let zip64ExtraField: UInt16 = 1
  /// PyTorch's padding field, "FB".
  static let paddingExtraField: UInt16 = 0x4246

  static func checkStored(flags: UInt16, method: UInt16, name: String, path: String) throws(Failure) {
    // Bits: 0 encrypted, 6 strong encryption, 13 masked headers.
    guard flags & 0x2041 == 0 else {
      throw Failure(.badData, "\(path): zip member \(name.quoted) is encrypted; PyTorch files are not")
    }
    guard method == 0 else {
      let how = method == 8 ? "deflated" : "compressed with method \(method)"
      throw Failure(
        .badData,
        "\(path): zip member \(name.quoted) is \(how), as in TorchScript programs and other tools' zips; save the tensors with torch.save"
      )
    }
  }
}

/// What the end of a zip file says: where the central directory lies and how many members it lists.
struct ZipEndRecord {
  let directoryOffset: Int
  let directoryByteCount: Int
  let memberCount: Int

  /// Enough for the directory of a small PyTorch file, so that one read serves both.
  private static let tailByteCount = 1536

  init(reading window: inout FileWindow) throws(Failure) {
    let path = window.file.path
    let fileByteCount = window.file.byteCount
    // Built only when it is thrown: a hundred thousand files are opened this way.
    var truncated: Failure {
      Failure(
        .badData, "\(path): no zip end record at the end: the file is truncated or not written by torch.save")
    }
    let end = fileByteCount - ZipFormat.endRecordByteCount
    guard end >= 0 else { throw truncated }
    try window.prefetch(max(0, fileByteCount - Self.tailByteCount)..<fileByteCount)
    let record = try window.bytes(at: end, count: ZipFormat.endRecordByteCount)
    // No comment: PyTorch writes none, and without one there is only one place for this record.
    guard record.littleEndian(UInt32.self, at: 0) == ZipFormat.endRecord,
      record.littleEndian(UInt16.self, at: 20) == 0
    else { throw truncated }
    let disks = [4, 6].map { record.littleEndian(UInt16.self, at: $0) }
    let counts = [8, 10].map { record.littleEndian(UInt16.self, at: $0) }
    let byteCount = record.littleEndian(UInt32.self, at: 12)
    let offset = record.littleEndian(UInt32.self, at: 16)

    let large = try Self.zip64Record(before: end, reading: &window)
    let isSplit = disks.contains { $0 != 0 && (large == nil || $0 != .max) } || counts[0] != counts[1]
    guard !isSplit else { throw Failure(.badData, "\(path): is one part of a zip file split over several") }

    // A field of the small record is either its own or, all ones, a pointer to the large one.
    memberCount = try Self.agree(Int(counts[0]), Int(UInt16.max), large?.memberCount, path)
    directoryByteCount = try Self.agree(Int(byteCount), Int(UInt32.max), large?.byteCount, path)
    directoryOffset = try Self.agree(Int(offset), Int(UInt32.max), large?.offset, path)
    let expectedEnd = large?.start ?? end
    guard directoryOffset <= expectedEnd, directoryByteCount == expectedEnd - directoryOffset else {
      throw Failure(
        .badData,
        "\(path): the zip directory (\(directoryByteCount) bytes at byte \(directoryOffset)) does not end where its end record starts, at byte \(expectedEnd)"
      )
    }
  }

  private struct Zip64 {
    let start: Int
    let memberCount: Int
    let byteCount: Int
    let offset: Int
  }

  private static func zip64Record(
    before end: Int, reading window: inout FileWindow
  ) throws(Failure) -> Zip64? {
    let path = window.file.path
    let locatorOffset = end - ZipFormat.zip64LocatorByteCount
    guard locatorOffset >= 0 else { return nil }
    let locator = try window.bytes(at: locatorOffset, count: ZipFormat.zip64LocatorByteCount)
    guard locator.littleEndian(UInt32.self, at: 0) == ZipFormat.zip64Locator else { return nil }
    let start = locatorOffset - ZipFormat.zip64EndRecordByteCount
    guard start >= 0, locator.littleEndian(UInt64.self, at: 8) == start,
      locator.littleEndian(UInt32.self, at: 4) == 0, locator.littleEndian(UInt32.self, at: 16) <= 1
    else { throw Failure(.badData, "\(path): the zip64 locator does not point to the record before it") }
    let record = try window.bytes(at: start, count: ZipFormat.zip64EndRecordByteCount)
    guard record.littleEndian(UInt32.self, at: 0) == ZipFormat.zip64EndRecord,
      record.littleEndian(UInt64.self, at: 4) == ZipFormat.zip64EndRecordByteCount - 12
    else { throw Failure(.badData, "\(path): no zip64 end record where its locator points") }
    let counts = [24, 32].map { record.littleEndian(UInt64.self, at: $0) }
    guard record.littleEndian(UInt64.self, at: 16) == 0, counts[0] == counts[1] else {
      throw Failure(.badData, "\(path): is one part of a zip file split over several")
    }
    guard let memberCount = Int(exactly: counts[0]),
      let byteCount = Int(exactly: record.littleEndian(UInt64.self, at: 40)),
      let offset = Int(exactly: record.littleEndian(UInt64.self, at: 48))
    else { throw Failure(.badData, "\(path): the zip64 end record has sizes beyond any file") }
    return Zip64(start: start, memberCount: memberCount, byteCount: byteCount, offset: offset)
  }

  private static func agree(
    _ small: Int, _ marker: Int, _ large: Int?, _ path: String
  ) throws(Failure) -> Int {
    guard let large else { return small }
    guard small == marker || small == large else {
      throw Failure(.badData, "\(path): the two end records of the zip file disagree: \(small) and \(large)")
    }
    return large
  }
}
