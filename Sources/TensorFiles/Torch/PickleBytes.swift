import Diagnostics

/// A pickle as it is read from front to back.
struct PickleBytes {
  let bytes: [UInt8]
  /// What errors call the pickle.
  let name: String
  private(set) var position: Int
  /// Where the current opcode starts, for errors.
  private(set) var opcodePosition: Int

  init(_ bytes: [UInt8], from start: Int, name: String) {
    self.bytes = bytes
    self.name = name
    position = start
    opcodePosition = start
  }

  func failure(_ problem: String) -> Failure {
    Failure(.badData, "\(name), byte \(opcodePosition): \(problem)")
  }

  private var truncated: Failure { failure("the pickle ends in the middle") }

  mutating func opcode() throws(Failure) -> PickleOpcode {
    opcodePosition = position
    let byte = try byte()
    guard let opcode = PickleOpcode(rawValue: byte) else {
      throw failure("the opcode 0x\(String(byte, radix: 16)) does not occur in PyTorch files")
    }
    return opcode
  }

  mutating func byte() throws(Failure) -> UInt8 {
    guard position < bytes.count else { throw truncated }
    defer { position += 1 }
    return bytes[position]
  }

  mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) throws(Failure) -> Value {
    let size = MemoryLayout<Value>.size
    guard bytes.count - position >= size else { throw truncated }
    defer { position += size }
    return bytes.littleEndian(type, at: position)
  }

  /// A length of as many bytes as `type` has.
  mutating func count<Value: FixedWidthInteger>(_ type: Value.Type) throws(Failure) -> Int {
    guard let count = Int(exactly: try integer(type)), count >= 0 else { throw truncated }
    return count
  }

  /// Two's complement, little endian, of any length.
  mutating func long(count: Int) throws(Failure) -> PickleValue {
    let bytes = try slice(count: count)
    guard count <= 8 else { return .longInteger(Array(bytes)) }
    var value = bytes.last.map { $0 & 0x80 != 0 } == true ? -1 : 0
    for byte in bytes.reversed() { value = value << 8 | Int(byte) }
    return .integer(value)
  }

  mutating func string(count: Int) throws(Failure) -> String {
    guard let string = String(validating: try slice(count: count), as: UTF8.self) else {
      throw failure("a string that is not valid UTF-8")
    }
    return string
  }

  mutating func slice(count: Int) throws(Failure) -> ArraySlice<UInt8> {
    guard count <= bytes.count - position else { throw truncated }
    defer { position += count }
    return bytes[position..<(position + count)]
  }

  /// GLOBAL: module and name, a line each.
  mutating func global() throws(Failure) -> TorchGlobal {
    let module = try line()
    return try global(module: module, name: try line())
  }

  /// - Throws: `.badData` for names that are none of Python's.
  func global(module: String, name: String) throws(Failure) -> TorchGlobal {
    for part in [module, name] {
      guard part.utf8.count <= 256, part.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value < 0x7F })
      else {
        throw failure("a class name with other than ASCII letters, or too many")
      }
    }
    return TorchGlobal(module: module, name: name)
  }

  private mutating func line() throws(Failure) -> String {
    guard let end = bytes[position...].prefix(257).firstIndex(of: UInt8(ascii: "\n")) else {
      throw failure("a class name that never ends")
    }
    let line = try string(count: end - position)
    position += 1
    return line
  }
}

/// The opcodes of pickle protocols 2 to 5 that describe data, and no other. PyTorch writes protocol 2 unless it is
/// told otherwise; what its users put beside their tensors may need the rest.
enum PickleOpcode: UInt8 {
  case mark = 0x28  // (
  case emptyTuple = 0x29  // )
  case stop = 0x2E  // .
  case binBytes = 0x42  // B
  case shortBinBytes = 0x43  // C
  case binFloat = 0x47  // G
  case binInt = 0x4A  // J
  case binInt1 = 0x4B  // K
  case binInt2 = 0x4D  // M
  case none = 0x4E  // N
  case binPersistentID = 0x51  // Q
  case reduce = 0x52  // R
  case binString = 0x54  // T
  case shortBinString = 0x55  // U
  case binUnicode = 0x58  // X
  case emptyList = 0x5D  // ]
  case append = 0x61  // a
  case build = 0x62  // b
  case global = 0x63  // c
  case appends = 0x65  // e
  case binGet = 0x68  // h
  case longBinGet = 0x6A  // j
  case binPut = 0x71  // q
  case longBinPut = 0x72  // r
  case setItem = 0x73  // s
  case tuple = 0x74  // t
  case setItems = 0x75  // u
  case emptyDictionary = 0x7D  // }
  case protocolVersion = 0x80
  case newObject = 0x81
  case tuple1 = 0x85
  case tuple2 = 0x86
  case tuple3 = 0x87
  case newTrue = 0x88
  case newFalse = 0x89
  case long1 = 0x8A
  case long4 = 0x8B
  case shortBinUnicode = 0x8C
  case binUnicode8 = 0x8D
  case binBytes8 = 0x8E
  case emptySet = 0x8F
  case addItems = 0x90
  case frozenSet = 0x91
  case newObjectWithKeywords = 0x92
  case stackGlobal = 0x93
  case memoize = 0x94
  case frame = 0x95
  case byteArray8 = 0x96
}
