import Diagnostics

/// The safetensors format, read and written by the rules of the reference implementation
/// (`safetensors/src/tensor.rs` of huggingface/safetensors):
///
///     u64 N, little endian | N bytes of JSON | the tensors' bytes, C order, little endian
public enum Safetensors {
  /// Reads a file. Each tensor is read straight into its own memory.
  ///
  /// - Throws: `.missingInput` without the file, `.inputOutput` if it cannot be read, `.badData` if a rule is
  ///   broken: a header over 100,000,000 bytes, an unknown type, offsets that leave a hole, overlap or disagree
  ///   with type and shape, a name that comes twice, bytes left over.
  public static func read(path: String) throws(Failure) -> NamedTensors {
    let file = try InputFile(path: path)
    let prefix = try file.read(at: 0, count: min(file.byteCount, SafetensorsHeader.prefixByteCount))
    let headerRange = try SafetensorsHeader.range(prefix: prefix, fileByteCount: file.byteCount, name: path)
    let header = try SafetensorsHeader(
      parsing: file.read(at: headerRange.lowerBound, count: headerRange.count),
      bufferByteCount: file.byteCount - headerRange.upperBound, name: path)
    return try header.tensors { range throws(Failure) in
      try file.read(at: headerRange.upperBound + range.lowerBound, count: range.count)
    }
  }

  /// Parses the bytes of a whole file.
  ///
  /// - Parameter name: what errors call the bytes.
  /// - Throws: `.badData`, as `read`.
  public static func parse(_ bytes: [UInt8], name: String) throws(Failure) -> NamedTensors {
    let headerRange = try SafetensorsHeader.range(
      prefix: Array(bytes.prefix(SafetensorsHeader.prefixByteCount)), fileByteCount: bytes.count, name: name)
    let header = try SafetensorsHeader(
      parsing: Array(bytes[headerRange]), bufferByteCount: bytes.count - headerRange.upperBound, name: name)
    return try header.tensors { range throws(Failure) in
      Array(bytes[(headerRange.upperBound + range.lowerBound)..<(headerRange.upperBound + range.upperBound)])
    }
  }

  /// The bytes of a file: equal tensors and metadata give equal bytes, whatever their order.
  ///
  /// - Precondition: no tensor is called `__metadata__`, which the format reserves.
  public static func serialize(_ tensors: NamedTensors) -> [UInt8] {
    let layout = SafetensorsLayout(tensors)
    var bytes = layout.header
    bytes.reserveCapacity(layout.header.count + layout.bufferByteCount)
    for position in layout.order { bytes += tensors[position].tensor.bytes }
    return bytes
  }

  /// Writes a file, atomically (see `FileWriting`).
  ///
  /// - Precondition: as `serialize`.
  /// - Throws: `.inputOutput`.
  public static func write(_ tensors: NamedTensors, to path: String) throws(Failure) {
    let layout = SafetensorsLayout(tensors)
    try FileWriting.writeAtomically(to: path) { sink throws(Failure) in
      try sink.write(layout.header)
      for position in layout.order { try sink.write(tensors[position].tensor.bytes) }
    }
  }
}
