import Diagnostics

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
