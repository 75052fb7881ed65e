import Diagnostics
import TensorFiles

/// The members of a tar file, one after another, without unpacking anything: ustar, with the long names of pax and GNU.
///
/// POSIX.1-2017, "pax", and the manual of GNU tar, "Basic Tar Format". A size is compared with what is left of the file
/// before it is used, and checksums have to be right. What could lead out of a folder, or has no bytes of its own, is
/// given back with the reason to refuse it.
struct TarReader {
  struct Member {
    let name: String
    /// Where its bytes lie in the file.
    let offset: Int
    let bytes: Int
    /// Why it must not be used: a predicate; nil if it may.
    let objection: String?
  }

  private let file: InputFile
  private var position = 0
  /// What a pax header says of all members behind it.
  private var global = PaxRecords()

  private static let block = 512
  /// The longest header of long names that is believed.
  private static let longestHeader = 1 << 20

  /// What errors call the file.
  var path: String { file.path }

  /// - Throws: `.missingInput`, `.inputOutput`, `.badData` for what is no file, or is compressed.
  init(_ path: String) throws(Failure) {
    file = try InputFile(path: path)
    let magic = try file.read(at: 0, count: min(6, file.byteCount))
    for (bytes, name) in [
      ([0x1F, 0x8B], "gzip"), ([0x42, 0x5A, 0x68], "bzip2"), ([0xFD, 0x37, 0x7A], "xz"),
    ]
      as [([UInt8], String)] where magic.starts(with: bytes)
    {
      throw Failure(.badData, "\(path): is compressed (\(name)): decompress it, for parts of it are read")
    }
  }

  /// The bytes of a member, which is small.
  func contents(of member: Member) throws(Failure) -> [UInt8] {
    try file.read(at: member.offset, count: member.bytes)
  }

  /// The next member that is not a folder; nil at the end, which is a block of zeros or the file's.
  ///
  /// - Throws: `.badData`, with the byte, where the file is damaged or no tar; what was given back before stays good.
  mutating func next() throws(Failure) -> Member? {
    var longName: [UInt8]?
    var pax = global
    while let header = try nextHeader() {
      guard let size = header.isFile ? pax.size ?? header.size : header.size else {
        throw damage("the size of a member is no number")
      }
      let offset = position
      guard size <= file.byteCount - offset else {
        throw damage("a member of \(size) bytes begins where \(file.byteCount - offset) are left")
      }
      // Not behind the end: the last padding may be missing.
      position = min(file.byteCount, offset + (size + Self.block - 1) / Self.block * Self.block)
      switch header.type {
      case "L": longName = try text(offset, size)
      case "K": break  // the long name of a link's target, and links are refused
      case "x": pax = try records(offset, size)
      case "g":
        global = try records(offset, size)
        pax = global
      case "5", "V", "D": (longName, pax) = (nil, global)
      default:
        let name = pax.path ?? longName ?? header.name
        // A folder, before there was a type for it.
        if header.type == "\0" && name.last == UInt8(ascii: "/") {
          (longName, pax) = (nil, global)
          continue
        }
        // Old GNU sparse files have more headers where the bytes of others begin.
        guard !header.isExtendedSparse else {
          throw damage("a sparse file, behind which nothing is found: make the tar without --sparse")
        }
        let text = String(decoding: name, as: UTF8.self)
        let relative = text.hasPrefix("./") ? String(text.dropFirst(2)) : text
        return Member(
          name: relative, offset: offset, bytes: size,
          objection: Self.objection(to: name, header.type) ?? (pax.isSparse ? Self.sparse : nil))
      }
    }
    return nil
  }

  private static let sparse = "is a sparse file, which is not read: make the tar without --sparse"

  private static func objection(to name: [UInt8], _ type: Character) -> String? {
    switch type {
    case "0", "\0", "7": break
    case "1", "2":
      return "is a link, which is not followed: make the tar with --dereference --hard-dereference"
    case "3", "4", "6": return "is a device or a pipe, and no file"
    case "S": return sparse
    case "M": return "goes on from another volume"
    default: return "is of the type \(String(type).quoted), and no file"
    }
    guard String(validating: name, as: UTF8.self) != nil else { return "has a name that is not UTF-8" }
    guard !name.isEmpty, !name.contains(0) else { return "has no name" }
    guard name.first != UInt8(ascii: "/") else {
      return "is an absolute path: make the tar with names relative to its folder"
    }
    guard !name.split(separator: UInt8(ascii: "/")).contains([0x2E, 0x2E]) else {
      return "leads out of its folder (..): make the tar with names inside its folder"
    }
    return nil
  }

  private func text(_ offset: Int, _ size: Int) throws(Failure) -> [UInt8] {
    guard size <= Self.longestHeader else { throw damage("a name of \(size) bytes") }
    let bytes = try file.read(at: offset, count: size)
    // GNU's ends with a zero, pax's records hold none but in a value.
    return bytes.last == 0 ? bytes.dropLast() : bytes
  }

  private func records(_ offset: Int, _ size: Int) throws(Failure) -> PaxRecords {
    guard let records = PaxRecords(try text(offset, size), over: global) else {
      throw damage("a pax header is none")
    }
    return records
  }

  private func damage(_ what: String) -> Failure {
    Failure(.badData, "\(file.path): is no whole tar: \(what), before byte \(position)")
  }

  private mutating func nextHeader() throws(Failure) -> TarHeader? {
    guard position < file.byteCount else { return nil }
    guard file.byteCount - position >= Self.block else {
      throw damage("it ends in the middle of a header")
    }
    let bytes = try file.read(at: position, count: Self.block)
    if bytes.allSatisfy({ $0 == 0 }) { return nil }
    guard let header = TarHeader(bytes) else { throw damage("the checksum of a header is wrong") }
    position += Self.block
    return header
  }
}
