import Diagnostics

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

/// A dense tensor as files hold it: C order, little endian, contiguous.
public struct Tensor: Equatable, Sendable {
  /// The type of the elements.
  public let elementType: ElementType
  /// The dimensions, outermost first; empty for a scalar.
  public let shape: [Int]
  /// The elements: `shape` product × `elementType.byteCount` bytes.
  public let bytes: [UInt8]

  /// A tensor of given bytes.
  ///
  /// - Precondition: `bytes` are exactly as many as `elementType` and `shape` say.
  public init(elementType: ElementType, shape: [Int], bytes: [UInt8]) {
    precondition(
      elementType.byteCount(ofShape: shape) == bytes.count,
      "\(bytes.count) bytes cannot be a \(elementType.rawValue) tensor of shape \(shape)")
    self.elementType = elementType
    self.shape = shape
    self.bytes = bytes
  }

  /// An F32 tensor.
  ///
  /// - Precondition: as many values as the product of `shape`.
  public init(float32 values: [Float], shape: [Int]) {
    self.init(elementType: .float32, shape: shape, values: values)
  }

  /// An F64 tensor.
  ///
  /// - Precondition: as many values as the product of `shape`.
  public init(float64 values: [Double], shape: [Int]) {
    self.init(elementType: .float64, shape: shape, values: values)
  }

  /// An I64 tensor.
  ///
  /// - Precondition: as many values as the product of `shape`.
  public init(int64 values: [Int64], shape: [Int]) {
    self.init(elementType: .int64, shape: shape, values: values)
  }

  /// An I64 tensor.
  ///
  /// - Precondition: as many values as the product of `shape`.
  public init(int64 values: [Int], shape: [Int]) {
    self.init(elementType: .int64, shape: shape, values: values)
  }

  /// The number of elements.
  public var elementCount: Int { bytes.count / elementType.byteCount }

  private init<Value: BitwiseCopyable>(elementType: ElementType, shape: [Int], values: [Value]) {
    self.init(elementType: elementType, shape: shape, bytes: values.withUnsafeBytes { Array($0) })
  }
}

extension [Int] {
  /// A foreign shape, cut after eight dimensions.
  var brief: String { count <= 8 ? "\(self)" : "[\(prefix(8).map(String.init).joined(separator: ", ")), …]" }
}

// Every format here is little endian, and so is every machine this program is built for.
#if _endian(big)
  #error("TensorFiles copies little-endian bytes as they are")
#endif

// MARK: - Values

extension Tensor {
  /// The elements as 32-bit floats, from F32 as they are, from F16 and BF16 exactly, from F64 rounded to nearest.
  ///
  /// - Throws: `.badData` for integers and booleans.
  public func float32Values() throws(Failure) -> [Float] {
    switch elementType {
    case .float32: return elements(of: Float.self)
    case .float64: return elements(of: Double.self).map(Float.init)
    case .float16: return elements(of: UInt16.self).map(Self.float(half:))
    case .bfloat16: return elements(of: UInt16.self).map { Float(bitPattern: UInt32($0) << 16) }
    default: throw wrongType(wanted: "floats (F32, F64, F16 or BF16)")
    }
  }

  /// The elements as 64-bit integers, from every integer type; booleans become 0 and 1.
  ///
  /// - Throws: `.badData` for floats and for a U64 beyond the signed range.
  public func int64Values() throws(Failure) -> [Int64] {
    switch elementType {
    case .int64: return elements(of: Int64.self)
    case .int32: return elements(of: Int32.self).map(Int64.init)
    case .int16: return elements(of: Int16.self).map(Int64.init)
    case .int8: return elements(of: Int8.self).map(Int64.init)
    case .uint8: return elements(of: UInt8.self).map(Int64.init)
    case .uint16: return elements(of: UInt16.self).map(Int64.init)
    case .uint32: return elements(of: UInt32.self).map(Int64.init)
    case .bool: return bytes.map { $0 == 0 ? 0 : 1 }
    case .uint64:
      let values = elements(of: UInt64.self)
      if let large = values.first(where: { $0 > Int64.max }) {
        throw Failure(.badData, "a U64 tensor holds \(large), which is beyond 64-bit signed integers")
      }
      return values.map { Int64($0) }
    case .float16, .bfloat16, .float32, .float64: throw wrongType(wanted: "integers")
    }
  }

  private func elements<Value: BitwiseCopyable>(of type: Value.Type) -> [Value] {
    let count = elementCount
    return [Value](unsafeUninitializedCapacity: count) { buffer, initializedCount in
      UnsafeMutableRawBufferPointer(buffer).copyBytes(from: bytes)
      initializedCount = count
    }
  }

  /// IEEE 754 binary16, widened exactly. Written out because `Float16` is not on every platform.
  private static func float(half bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10) & 0x1F
    let fraction = UInt32(bits & 0x3FF)
    switch exponent {
    case 0:  // Zero and subnormals: fraction · 2⁻²⁴.
      let magnitude = Float(fraction) * 0x1p-24
      return sign == 0 ? magnitude : -magnitude
    case 0x1F: return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
    default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
  }

  private func wrongType(wanted: String) -> Failure {
    Failure(.badData, "a tensor of type \(elementType.rawValue) and shape \(shape) where \(wanted) should be")
  }

  /// As `float32Values`, with an error that names the tensor and its file.
  public func float32Values(named name: String, in file: String) throws(Failure) -> [Float] {
    do { return try float32Values() } catch {
      throw Failure(error.kind, "\(file): \(name): \(error.message)")
    }
  }

  /// As `int64Values`, with an error that names the tensor and its file.
  public func int64Values(named name: String, in file: String) throws(Failure) -> [Int64] {
    do { return try int64Values() } catch { throw Failure(error.kind, "\(file): \(name): \(error.message)") }
  }
}
