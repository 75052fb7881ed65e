import Diagnostics

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
