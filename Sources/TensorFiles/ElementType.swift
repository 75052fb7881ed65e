/// The type of a tensor's elements; the raw value is its name in safetensors.
public enum ElementType: String, CaseIterable, Sendable {
  case bool = "BOOL"
  case uint8 = "U8"
  case int8 = "I8"
  case int16 = "I16"
  case uint16 = "U16"
  case float16 = "F16"
  case bfloat16 = "BF16"
  case int32 = "I32"
  case uint32 = "U32"
  case float32 = "F32"
  case float64 = "F64"
  case int64 = "I64"
  case uint64 = "U64"

  /// Bytes per element.
  public var byteCount: Int {
    switch self {
    case .bool, .uint8, .int8: 1
    case .int16, .uint16, .float16, .bfloat16: 2
    case .int32, .uint32, .float32: 4
    case .float64, .int64, .uint64: 8
    }
  }

  /// Bytes of a C-ordered tensor of this type, or nil if a dimension is negative or the product of those that are
  /// not zero overflows: an empty tensor has strides too.
  public func byteCount(ofShape shape: [Int]) -> Int? {
    var total = byteCount
    for dimension in shape {
      let (product, overflowed) = total.multipliedReportingOverflow(by: max(1, dimension))
      guard dimension >= 0, !overflowed else { return nil }
      total = product
    }
    return shape.contains(0) ? 0 : total
  }

  /// Where the safetensors reference (the order of its `Dtype` enumeration) ranks this type: the writer puts
  /// higher ranks first, so that every tensor is aligned to its elements.
  var safetensorsRank: Int { Self.allCases.firstIndex(of: self)! }
}
