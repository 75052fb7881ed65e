import Diagnostics
import TensorFiles

/// Archives of Kaldi's with binary vectors: a key, a blank, `\0B`, `FV ` or `DV `, 4, the count, the values. A matrix
/// (`FM `, `DM `) of one row stands for a vector, as 3D-Speaker writes them.
enum KaldiArchive {
  struct Vector {
    let key: String
    let values: [Float]
  }

  private static let longestKey = 4_096
  /// The largest vector; the widest embedding in use has 512 values.
  private static let mostValues = 1 << 20
  /// The most archives that a table may name.
  private static let mostArchives = 4_096

  // MARK: Reading

  /// Every vector of an archive.
  ///
  /// - Throws: `missingInput`, `inputOutput`; `badData` that names the place for what is no binary vector.
  static func readAll(_ path: String) throws(Failure) -> [Vector] {
    let file = try InputFile(path: path)
    var vectors: [Vector] = []
    var offset = 0
    while offset < file.byteCount {
      let head = try file.read(at: offset, count: min(longestKey + 1, file.byteCount - offset))
      guard let end = head.firstIndex(of: UInt8(ascii: " ")), end > 0,
        let key = String(validating: head[..<end], as: UTF8.self), !key.contains(where: \.isWhitespace)
      else {
        throw Failure(.badData, "\(path): expected a key and a blank at byte \(offset)")
      }
      let (values, next) = try vector(of: file, at: offset + end + 1, key)
      vectors.append(Vector(key: key, values: values))
      offset = next
    }
    return vectors
  }

  /// Every vector that a table names, `key archive:offset` a line. A path counts from the working directory, or from the
  /// table's where it is not there.
  ///
  /// - Throws: as ``readAll(_:)``, naming file and line.
  static func readTable(_ path: String) throws(Failure) -> [Vector] {
    var vectors: [Vector] = []
    var archives: [Substring: InputFile] = [:]
    var lines = try TextLines(path)
    while let line = try lines.next() {
      let place = "\(path):\(line.number)"
      guard line.fields.count == 2, let colon = line.fields[1].lastIndex(of: ":"),
        colon > line.fields[1].startIndex,
        let offset = Int(line.fields[1][line.fields[1].index(after: colon)...]), offset >= 0
      else {
        throw Failure(.badData, "\(place): expected 'key archive:offset'")
      }
      let name = line.fields[1][..<colon]
      let archive: InputFile
      if let open = archives[name] {
        archive = open
      } else {
        guard archives.count < mostArchives else {
          throw Failure(.badData, "\(place): names more than \(mostArchives) archives")
        }
        archive = try open(String(name), beside: path, place)
        archives[name] = archive
      }
      let key = String(line.fields[0])
      do throws(Failure) {
        vectors.append(Vector(key: key, values: try vector(of: archive, at: offset, key).values))
      } catch {
        throw Failure(error.kind, "\(place): \(error.message)")
      }
    }
    return vectors
  }

  private static func open(_ name: String, beside table: String, _ place: String) throws(Failure) -> InputFile
  {
    do throws(Failure) { return try InputFile(path: name) } catch {
      guard error.kind == .missingInput else { throw error }
      if !name.hasPrefix("/"), let slash = table.lastIndex(of: "/"),
        let file = try? InputFile(path: "\(table[..<slash])/\(name)")
      {
        return file
      }
      throw Failure(.missingInput, "\(place): \(name): no such file")
    }
  }

  /// The vector at a place, and where it ends.
  private static func vector(
    of file: InputFile, at offset: Int, _ key: String
  ) throws(Failure) -> (values: [Float], end: Int) {
    func broken(_ what: String) -> Failure {
      Failure(.badData, "\(file.path): \(key.quoted) at byte \(offset): \(what)")
    }
    guard offset < file.byteCount else { throw broken("the file has \(file.byteCount) bytes") }
    let head = try file.read(at: offset, count: min(15, file.byteCount - offset))
    guard head.starts(with: [0, UInt8(ascii: "B")]) else {
      throw broken("expected a binary vector, which begins with \\0B; texts are not read")
    }
    let type = String(decoding: head.dropFirst(2).prefix(3), as: UTF8.self)
    guard let isMatrix = ["FV ": false, "DV ": false, "FM ": true, "DM ": true][type] else {
      throw broken("is \(type.quoted), expected FV or DV, a vector of floats, or FM or DM of one row")
    }
    let size = isMatrix ? 15 : 10
    guard head.count >= size else { throw broken("is cut off") }
    func integer(at place: Int) throws(Failure) -> Int {
      guard head[place] == 4 else { throw broken("expected a size of 4 bytes, found one of \(head[place])") }
      return Int(
        Int32(truncatingIfNeeded: (1...4).reduce(0) { $0 | Int(head[place + $1]) << (8 * ($1 - 1)) }))
    }
    if isMatrix {
      let rows = try integer(at: 5)
      guard rows == 1 else { throw broken("is a matrix of \(rows) rows, expected one, an embedding") }
    }
    let count = try integer(at: size - 5)
    guard (1...mostValues).contains(count) else {
      throw broken("has \(count) values, expected 1 to \(mostValues)")
    }
    let element: ElementType = type.hasPrefix("F") ? .float32 : .float64
    let bytes = count * element.byteCount
    guard bytes <= file.byteCount - offset - size else {
      throw broken("is cut off: \(count) values are more than the file holds")
    }
    let tensor = Tensor(
      elementType: element, shape: [count], bytes: try file.read(at: offset + size, count: bytes))
    return (try tensor.float32Values(named: key, in: file.path), offset + size + bytes)
  }

  // MARK: Writing

  /// The table that is written beside an archive.
  static func table(of archive: String) -> String { "\(archive.dropLast(".ark".count)).scp" }

  /// Writes an archive and its table, which names it as `path` does.
  static func write(_ set: EmbeddingSet, to path: String) throws(Failure) {
    var offsets: [Int] = []
    try FileWriting.writeAtomically(to: path) { sink throws(Failure) in
      var offset = 0
      for (row, key) in set.keys.enumerated() {
        let values = Array(set.values[row * set.width..<(row + 1) * set.width])
        var bytes = Array("\(key) \0BFV ".utf8) + [4]
        offsets.append(offset + key.utf8.count + 1)
        bytes += (0..<4).map { UInt8(truncatingIfNeeded: set.width >> (8 * $0)) }
        bytes += Tensor(float32: values, shape: [set.width]).bytes
        try sink.write(bytes)
        offset += bytes.count
      }
    }
    let lines = zip(set.keys, offsets).map { "\($0) \(path):\($1)\n" }
    try FileWriting.writeAtomically(Array(lines.joined().utf8), to: table(of: path))
  }
}
