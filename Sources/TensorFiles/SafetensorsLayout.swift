/// The order of the tensors in a safetensors file and its header, as the reference writes them: larger-aligned
/// types first, then by the bytes of the names, the header padded with spaces to a multiple of eight.
struct SafetensorsLayout {
  /// Positions in the `NamedTensors`, in file order.
  let order: [Int]
  /// The length prefix and the JSON.
  let header: [UInt8]
  /// Bytes of all tensors.
  let bufferByteCount: Int

  init(_ tensors: NamedTensors) {
    precondition(
      tensors[SafetensorsHeader.metadataKey] == nil,
      "safetensors reserves the name \(SafetensorsHeader.metadataKey)")
    order = tensors.indices.sorted { left, right in
      let (leftName, leftTensor) = tensors[left]
      let (rightName, rightTensor) = tensors[right]
      let (leftRank, rightRank) = (
        leftTensor.elementType.safetensorsRank, rightTensor.elementType.safetensorsRank
      )
      if leftRank != rightRank { return leftRank > rightRank }
      return leftName.utf8.lexicographicallyPrecedes(rightName.utf8)
    }
    var members: [(String, JSON)] = []
    if !tensors.metadata.isEmpty {
      // The reference leaves their order to a hash; sorted, equal files have equal bytes.
      let sorted = tensors.metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      members.append(
        (SafetensorsHeader.metadataKey, .object(JSONObject(sorted.map { ($0.key, .string($0.value)) }))))
    }
    var end = 0
    for position in order {
      let (name, tensor) = tensors[position]
      let start = end
      end += tensor.bytes.count
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
