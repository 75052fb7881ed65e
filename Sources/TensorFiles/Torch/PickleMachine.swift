import Diagnostics

/// Runs the pickle of a PyTorch file: a stack machine that can build plain values and describe tensors, and can
/// do nothing else. No byte of the file is ever executed, imported or looked up by name outside `TorchGlobal`.
///
/// Every opcode consumes at least one byte and makes at most one value, so time and memory are linear in the
/// pickle's size, which is limited.
struct PickleMachine {
  /// A state dict takes about 130 bytes per tensor.
  static let maximumByteCount = 8 << 20
  /// Python sets items in batches of 1,000, so honest stacks stay small.
  static let maximumStackCount = 100_000
  static let maximumMarkCount = 1_000
  static let maximumMemoIndex = 1 << 20

  var arena = PickleArena()

  private let bytes: [UInt8]
  private let name: String
  private var position = 0
  /// Where the current opcode starts, for errors.
  private var opcodePosition = 0
  private var stack: [PickleValue] = []
  /// Stack heights at open MARKs; values below the last one are out of reach until it is closed.
  private var marks: [Int] = []
  private var memo: [PickleValue?] = []

  /// - Parameter name: what errors call the pickle.
  init(_ bytes: [UInt8], name: String) {
    self.bytes = bytes
    self.name = name
    stack.reserveCapacity(32)
    memo.reserveCapacity(32)
  }

  /// Runs to STOP and returns the object.
  mutating func run() throws(Failure) -> PickleValue {
    guard bytes.count <= Self.maximumByteCount else {
      throw Failure(
        .badData, "\(name): \(bytes.count) bytes of pickle, at most \(Self.maximumByteCount) are read")
    }
    guard bytes.first == PickleOpcode.protocolVersion.rawValue else {
      throw failure("is no pickle of protocol 2")
    }
    while true {
      opcodePosition = position
      let byte = try readByte()
      guard let opcode = PickleOpcode(rawValue: byte) else {
        throw failure("the opcode 0x\(String(byte, radix: 16)) does not occur in PyTorch files")
      }
      if opcode == .stop { return try finish() }
      try execute(opcode)
      guard stack.count <= Self.maximumStackCount else {
        throw failure("more than \(Self.maximumStackCount) values on the stack")
      }
    }
  }

  func failure(_ problem: String) -> Failure {
    Failure(.badData, "\(name), byte \(opcodePosition): \(problem)")
  }

  private mutating func finish() throws(Failure) -> PickleValue {
    let value = try pop()
    guard stack.isEmpty, marks.isEmpty else { throw failure("STOP with unused values on the stack") }
    guard position == bytes.count else { throw failure("\(bytes.count - position) bytes after STOP") }
    return value
  }

  private mutating func execute(_ opcode: PickleOpcode) throws(Failure) {
    switch opcode {
    case .protocolVersion:
      let version = try readByte()
      guard version == 2, opcodePosition == 0 else {
        throw failure(
          "pickle protocol \(version), or not at the start; torch.save writes protocol 2 by default")
      }
    case .stop: preconditionFailure("STOP ends the loop")
    case .none: stack.append(.none)
    case .newTrue: stack.append(.bool(true))
    case .newFalse: stack.append(.bool(false))
    case .binInt: stack.append(.integer(Int(try readInteger(Int32.self))))
    case .binInt1: stack.append(.integer(Int(try readByte())))
    case .binInt2: stack.append(.integer(Int(try readInteger(UInt16.self))))
    case .long1: stack.append(.integer(try readLong()))
    case .binFloat: stack.append(.float(Double(bitPattern: try readInteger(UInt64.self).byteSwapped)))
    case .binUnicode: stack.append(.string(try readString(count: Int(try readInteger(UInt32.self)))))
    case .shortBinString: stack.append(.string(try readString(count: Int(try readByte()))))
    case .emptyTuple: stack.append(arena.makeTuple([]))
    case .emptyList: stack.append(arena.makeList())
    case .emptyDictionary: stack.append(arena.makeDictionary(isOrdered: false))
    case .emptySet: stack.append(.emptySet)
    case .mark: try openMark()
    case .tuple: try makeTuple(from: try closeMark())
    case .tuple1: try makeTuple(count: 1)
    case .tuple2: try makeTuple(count: 2)
    case .tuple3: try makeTuple(count: 3)
    case .append: try append(from: stack.count - 1)
    case .appends: try append(from: try closeMark())
    case .setItem: try setItems(from: stack.count - 2)
    case .setItems: try setItems(from: try closeMark())
    case .binPut: try put(at: Int(try readByte()))
    case .longBinPut: try put(at: Int(try readInteger(UInt32.self)))
    case .binGet: try get(at: Int(try readByte()))
    case .longBinGet: try get(at: Int(try readInteger(UInt32.self)))
    case .global: stack.append(.global(try readGlobal()))
    case .binPersistentID: stack.append(try persistentLoad(try pop()))
    case .reduce, .newObject:
      let arguments = try pop()
      let function = try pop()
      stack.append(try call(function, arguments))
    case .build:
      let state = try pop()
      try build(try top(), state)
    }
  }
}

// MARK: - Stack and memo

extension PickleMachine {
  /// The lowest height that may be popped to.
  private var floor: Int { marks.last ?? 0 }

  private mutating func pop() throws(Failure) -> PickleValue {
    guard stack.count > floor else { throw failure("the stack is empty") }
    return stack.removeLast()
  }

  private func top() throws(Failure) -> PickleValue {
    guard stack.count > floor else { throw failure("the stack is empty") }
    return stack[stack.count - 1]
  }

  private mutating func openMark() throws(Failure) {
    guard marks.count < Self.maximumMarkCount else {
      throw failure("more than \(Self.maximumMarkCount) open marks")
    }
    marks.append(stack.count)
  }

  private mutating func closeMark() throws(Failure) -> Int {
    guard let height = marks.popLast() else { throw failure("no mark to go back to") }
    return height
  }

  private mutating func makeTuple(from start: Int) throws(Failure) {
    let tuple = arena.makeTuple(stack[start...])
    stack.removeSubrange(start...)
    stack.append(tuple)
  }

  private mutating func makeTuple(count: Int) throws(Failure) {
    guard stack.count - floor >= count else { throw failure("the stack is empty") }
    try makeTuple(from: stack.count - count)
  }

  private mutating func append(from start: Int) throws(Failure) {
    guard start > floor, case .list(let list) = stack[start - 1] else {
      throw failure("an append without a list")
    }
    arena.lists[list].append(contentsOf: stack[start...])
    stack.removeSubrange(start...)
  }

  private mutating func setItems(from start: Int) throws(Failure) {
    guard start > floor, case .dictionary(let dictionary) = stack[start - 1] else {
      throw failure("an item is set without a dict")
    }
    guard (stack.count - start).isMultiple(of: 2) else { throw failure("a key without its value") }
    for index in stride(from: start, to: stack.count, by: 2) {
      arena.dictionaries[dictionary].entries.append((stack[index], stack[index + 1]))
    }
    stack.removeSubrange(start...)
  }

  private mutating func put(at index: Int) throws(Failure) {
    let value = try top()
    guard index < Self.maximumMemoIndex else { throw failure("memo index \(index) is out of range") }
    while memo.count <= index { memo.append(nil) }
    memo[index] = value
  }

  private mutating func get(at index: Int) throws(Failure) {
    guard index < memo.count, let value = memo[index] else {
      throw failure("memo entry \(index) is used before it is set")
    }
    stack.append(value)
  }
}

// MARK: - Bytes

extension PickleMachine {
  private var truncated: Failure { failure("the pickle ends in the middle") }

  private mutating func readByte() throws(Failure) -> UInt8 {
    guard position < bytes.count else { throw truncated }
    defer { position += 1 }
    return bytes[position]
  }

  private mutating func readInteger<Value: FixedWidthInteger>(_ type: Value.Type) throws(Failure) -> Value {
    let size = MemoryLayout<Value>.size
    guard bytes.count - position >= size else { throw truncated }
    defer { position += size }
    return bytes.littleEndian(type, at: position)
  }

  /// LONG1: a length byte, then as many bytes of two's complement.
  private mutating func readLong() throws(Failure) -> Int {
    let count = Int(try readByte())
    guard count <= 8 else { throw failure("an integer of \(count) bytes, at most 8 are read") }
    guard bytes.count - position >= count else { throw truncated }
    var value = count > 0 && bytes[position + count - 1] & 0x80 != 0 ? -1 : 0
    for byte in bytes[position..<(position + count)].reversed() { value = value << 8 | Int(byte) }
    position += count
    return value
  }

  private mutating func readString(count: Int) throws(Failure) -> String {
    guard bytes.count - position >= count else { throw truncated }
    guard let string = String(validating: bytes[position..<(position + count)], as: UTF8.self) else {
      throw failure("a string that is not valid UTF-8")
    }
    position += count
    return string
  }

  private mutating func readGlobal() throws(Failure) -> TorchGlobal {
    let module = try readLine()
    let name = try readLine()
    guard let global = TorchGlobal(module: module, name: name) else {
      throw failure("needs \(module).\(name), which a file of plain tensors does not; it is not run")
    }
    return global
  }

  private mutating func readLine() throws(Failure) -> String {
    guard let end = bytes[position...].prefix(256).firstIndex(of: UInt8(ascii: "\n")) else {
      throw failure("a class name that never ends")
    }
    let line = try readString(count: end - position)
    position += 1
    guard line.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value < 0x7F }) else {
      throw failure("a class name with other than ASCII letters")
    }
    return line
  }
}
