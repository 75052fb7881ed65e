import Diagnostics

/// The safetensors format, read and written by the rules of the reference implementation
/// (`safetensors/src/tensor.rs` of huggingface/safetensors):
///
///     u64 N, little endian | N bytes of JSON | the tensors' bytes, C order, little endian
public enum Safetensors {
  /// Opens a file and checks its header.
  ///
  /// - Throws: `.missingInput` without the file, `.inputOutput` if it cannot be read, `.badData` if a rule is
  ///   broken: a header over 100,000,000 bytes, an unknown type, offsets that leave a hole, overlap or disagree
  ///   with type and shape, a name that comes twice, bytes left over.
  public static func open(path: String) throws(Failure) -> TensorFile {
    let file = try InputFile(path: path)
    let prefix = try file.read(at: 0, count: min(file.byteCount, SafetensorsHeader.prefixByteCount))
    let range = try SafetensorsHeader.range(prefix: prefix, fileByteCount: file.byteCount, name: path)
    let header = try SafetensorsHeader(
      parsing: file.read(at: range.lowerBound, count: range.count),
      bufferByteCount: file.byteCount - range.upperBound, name: path)
    return TensorFile(
      path: path, header.entries.map { ($0.name, $0.description) }, metadata: header.metadata
    ) { position throws(Failure) in
      let entry = header.entries[position]
      return Tensor(
        elementType: entry.description.elementType, shape: entry.description.shape,
        bytes: try file.read(at: range.upperBound + entry.range.lowerBound, count: entry.range.count))
    }
  }

  /// Reads a whole file. Each tensor is read straight into its own memory.
  ///
  /// - Throws: as `open`.
  public static func read(path: String) throws(Failure) -> NamedTensors { try open(path: path).readAll() }

  /// Parses the bytes of a whole file.
  ///
  /// - Parameter name: what errors call the bytes.
  /// - Throws: `.badData`, as `open`.
  public static func parse(_ bytes: [UInt8], name: String) throws(Failure) -> NamedTensors {
    let range = try SafetensorsHeader.range(
      prefix: Array(bytes.prefix(SafetensorsHeader.prefixByteCount)), fileByteCount: bytes.count, name: name)
    let header = try SafetensorsHeader(
      parsing: Array(bytes[range]), bufferByteCount: bytes.count - range.upperBound, name: name)
    var tensors = NamedTensors()
    for entry in header.entries {
      tensors[entry.name] = Tensor(
        elementType: entry.description.elementType, shape: entry.description.shape,
        bytes: Array(
          bytes[(range.upperBound + entry.range.lowerBound)..<(range.upperBound + entry.range.upperBound)]))
    }
    tensors.metadata = header.metadata
    return tensors
  }

  /// The bytes of a file: equal tensors and metadata give equal bytes, whatever their order.
  ///
  /// - Precondition: no tensor is called `__metadata__`, which the format reserves.
  public static func serialize(_ tensors: NamedTensors) -> [UInt8] {
    let layout = SafetensorsLayout(tensors)
    var bytes = layout.header
    bytes.reserveCapacity(layout.header.count + layout.bufferByteCount)
    for name in layout.names { bytes += tensors[name]!.bytes }
    return bytes
  }

  /// Writes a file, atomically (see `FileWriting`), a tensor at a time.
  ///
  /// - Precondition: as `serialize`.
  /// - Throws: `.inputOutput`, and what reading the tensors throws.
  public static func write(_ tensors: some TensorSource, to path: String) throws(Failure) {
    let layout = SafetensorsLayout(tensors)
    try FileWriting.writeAtomically(to: path) { sink throws(Failure) in
      try sink.write(layout.header)
      for name in layout.names { try sink.write(try tensors.tensor(name).bytes) }
    }
  }
}

/// The parsed and validated header of a safetensors file.
struct SafetensorsHeader {
  static let prefixByteCount = 8
  static let maximumByteCount = 100_000_000
  static let metadataKey = "__metadata__"

  struct Entry {
    let name: String
    let description: TensorDescription
    /// Relative to the end of the header.
    let range: Range<Int>
  }

  /// In the order of their bytes.
  private(set) var entries: [Entry] = []
  private(set) var metadata: [String: String] = [:]
  private let name: String

  /// Where the JSON lies, from the eight bytes that give its length.
  static func range(prefix: [UInt8], fileByteCount: Int, name: String) throws(Failure) -> Range<Int> {
    guard prefix.count == prefixByteCount else {
      throw Failure(.badData, "\(name): is no safetensors file: only \(fileByteCount) bytes long")
    }
    let count = prefix.littleEndian(UInt64.self, at: 0)
    guard count <= maximumByteCount else {
      throw Failure(
        .badData,
        "\(name): is no safetensors file: it claims a header of \(count) bytes, at most \(maximumByteCount) are allowed"
      )
    }
    guard Int(count) <= fileByteCount - prefixByteCount else {
      throw Failure(
        .badData,
        "\(name): is truncated, or no safetensors file: a header of \(count) bytes in a file of \(fileByteCount)"
      )
    }
    return prefixByteCount..<(prefixByteCount + Int(count))
  }

  /// - Parameter bufferByteCount: bytes that follow the header; the tensors must cover them exactly.
  init(parsing header: [UInt8], bufferByteCount: Int, name: String) throws(Failure) {
    self.name = name
    guard header.first == UInt8(ascii: "{") else {
      throw Failure(.badData, "\(name): is no safetensors file: its header does not start with \"{\"")
    }
    let json = try JSON.parse(header, name: "\(name) (header)")
    for (key, value) in json.object! {
      if key == Self.metadataKey {
        metadata = try parseMetadata(value)
      } else {
        entries.append(try parseEntry(key, value))
      }
    }
    // Files may list tensors in any order.
    entries.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
    try checkCoverage(of: bufferByteCount)
  }

  private func parseMetadata(_ value: JSON) throws(Failure) -> [String: String] {
    guard let object = value.object else {
      throw Failure(.badData, "\(name): \(Self.metadataKey) must be an object of strings")
    }
    var metadata: [String: String] = [:]
    for (key, value) in object {
      guard let text = value.string else {
        throw Failure(.badData, "\(name): \(Self.metadataKey) must hold strings only, \(key.quoted) is none")
      }
      metadata[key] = text
    }
    return metadata
  }

  private func parseEntry(_ tensorName: String, _ value: JSON) throws(Failure) -> Entry {
    guard let typeName = value["dtype"]?.string else {
      throw failure(tensorName, "has no \"dtype\" string")
    }
    guard let elementType = ElementType(rawValue: typeName) else {
      let known = ElementType.allCases.map(\.rawValue).joined(separator: ", ")
      throw failure(tensorName, "has the dtype \(typeName.quoted); known are \(known)")
    }
    guard let shape = Self.sizes(value["shape"]) else {
      throw failure(tensorName, "has no \"shape\" of non-negative integers")
    }
    guard let offsets = Self.sizes(value["data_offsets"]), offsets.count == 2 else {
      throw failure(tensorName, "has no \"data_offsets\" of two non-negative integers")
    }
    guard let byteCount = elementType.byteCount(ofShape: shape) else {
      throw failure(tensorName, "has a shape too large for any memory: \(shape.brief)")
    }
    guard offsets[0] <= offsets[1], offsets[1] - offsets[0] == byteCount else {
      throw failure(
        tensorName,
        "has data_offsets \(offsets), but \(typeName) of shape \(shape.brief) takes \(byteCount) bytes")
    }
    return Entry(
      name: tensorName, description: TensorDescription(elementType: elementType, shape: shape),
      range: offsets[0]..<offsets[1])
  }

  private func checkCoverage(of bufferByteCount: Int) throws(Failure) {
    var end = 0
    for entry in entries {
      guard entry.range.lowerBound == end else {
        throw failure(
          entry.name,
          "starts at byte \(entry.range.lowerBound) where \(end) is next: holes and overlaps are not allowed")
      }
      end = entry.range.upperBound
    }
    guard end == bufferByteCount else {
      throw Failure(
        .badData,
        "\(name): \(end < bufferByteCount ? "has bytes left over" : "is truncated"): the tensors take \(end) bytes, \(bufferByteCount) follow the header"
      )
    }
  }

  private static func sizes(_ value: JSON?) -> [Int]? {
    guard let items = value?.array else { return nil }
    let sizes = items.compactMap(\.int)
    return sizes.count == items.count && sizes.allSatisfy { $0 >= 0 } ? sizes : nil
  }

  private func failure(_ tensorName: String, _ problem: String) -> Failure {
    Failure(.badData, "\(name): tensor \(tensorName.quoted) \(problem)")
  }
}

/// The order of the tensors in a safetensors file and its header, as the reference writes them: larger-aligned
/// types first, then by the bytes of the names, the header padded with spaces to a multiple of eight.
struct SafetensorsLayout {
  /// The names in file order.
  let names: [String]
  /// The length prefix and the JSON.
  let header: [UInt8]
  /// Bytes of all tensors.
  let bufferByteCount: Int

  init(_ tensors: some TensorSource) {
    precondition(
      tensors.description(of: SafetensorsHeader.metadataKey) == nil,
      "safetensors reserves the name \(SafetensorsHeader.metadataKey)")
    let described = tensors.names.map { ($0, tensors.description(of: $0)!) }.sorted { left, right in
      let (leftRank, rightRank) = (left.1.elementType.safetensorsRank, right.1.elementType.safetensorsRank)
      if leftRank != rightRank { return leftRank > rightRank }
      return left.0.utf8.lexicographicallyPrecedes(right.0.utf8)
    }
    names = described.map(\.0)
    var members: [(String, JSON)] = []
    if !tensors.metadata.isEmpty {
      // The reference leaves their order to a hash; sorted, equal files have equal bytes.
      let sorted = tensors.metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      members.append(
        (SafetensorsHeader.metadataKey, .object(JSONObject(sorted.map { ($0.key, .string($0.value)) }))))
    }
    var end = 0
    for (name, tensor) in described {
      let start = end
      end += tensor.byteCount
      members.append(
        (
          name,
          [
            "dtype": .string(tensor.elementType.rawValue),
            "shape": .array(tensor.shape.map { .integer($0) }),
            "data_offsets": [.integer(start), .integer(end)],
          ]
        ))
    }
    bufferByteCount = end
    var writer = JSONWriter(style: .compact)
    writer.write(.object(JSONObject(members)))
    var json = Array(writer.text.utf8)
    json += Array(repeating: UInt8(ascii: " "), count: (8 - json.count % 8) % 8)
    header = [UInt8](littleEndian: UInt64(json.count)) + json
  }
}
