import Diagnostics

/// The parsed and validated header of a safetensors file.
struct SafetensorsHeader {
  static let prefixByteCount = 8
  static let maximumByteCount = 100_000_000
  static let metadataKey = "__metadata__"

  private struct Entry {
    let name: String
    let elementType: ElementType
    let shape: [Int]
    /// Relative to the end of the header.
    let range: Range<Int>
  }

  private var entries: [Entry] = []
  private var metadata: [String: String] = [:]
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

  /// The tensors in the order of their bytes.
  func tensors(_ read: (Range<Int>) throws(Failure) -> [UInt8]) throws(Failure) -> NamedTensors {
    var tensors = NamedTensors()
    for entry in entries {
      tensors[entry.name] = Tensor(
        elementType: entry.elementType, shape: entry.shape, bytes: try read(entry.range))
    }
    tensors.metadata = metadata
    return tensors
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
    return Entry(name: tensorName, elementType: elementType, shape: shape, range: offsets[0]..<offsets[1])
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
