import Diagnostics

/// Runs the pickle of a PyTorch file: a stack machine that can build plain values and describe tensors, and can
/// do nothing else. No byte of the file is ever executed, imported or looked up by name outside `TorchGlobal`; what
/// any other class or function would make of its arguments is a value without contents.
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

  private var bytes: PickleBytes
  private var stack: [PickleValue] = []
  /// Stack heights at open MARKs; values below the last one are out of reach until it is closed.
  private var marks: [Int] = []
  private var memo: [PickleValue?] = []

  /// - Parameters:
  ///   - start: where the pickle begins in `bytes`.
  ///   - name: what errors call the pickle.
  init(_ bytes: [UInt8], from start: Int = 0, name: String) {
    self.bytes = PickleBytes(bytes, from: start, name: name)
    stack.reserveCapacity(32)
    memo.reserveCapacity(32)
  }

  /// Runs to STOP and returns the object, and where what follows the pickle begins.
  mutating func run() throws(Failure) -> (object: PickleValue, end: Int) {
    let start = bytes.position
    guard bytes.bytes.count > start, bytes.bytes[start] == PickleOpcode.protocolVersion.rawValue else {
      throw failure("is no pickle of protocol 2 or later")
    }
    while true {
      let opcode = try bytes.opcode()
      if opcode == .stop { return (try finish(), bytes.position) }
      if opcode == .protocolVersion {
        let version = try bytes.byte()
        guard (2...5).contains(version), bytes.opcodePosition == start else {
          throw failure("pickle protocol \(version), or not at the start; 2 to 5 are read")
        }
      } else {
        try execute(opcode)
      }
      guard stack.count <= Self.maximumStackCount else {
        throw failure("more than \(Self.maximumStackCount) values on the stack")
      }
    }
  }

  func failure(_ problem: String) -> Failure { bytes.failure(problem) }

  private mutating func finish() throws(Failure) -> PickleValue {
    let value = try pop()
    guard stack.isEmpty, marks.isEmpty else { throw failure("STOP with unused values on the stack") }
    return value
  }

  private mutating func execute(_ opcode: PickleOpcode) throws(Failure) {
    switch opcode {
    case .protocolVersion, .stop: preconditionFailure("run() deals with these")
    // Where a frame ends says nothing that the opcodes in it do not.
    case .frame: _ = try bytes.count(UInt64.self)
    case .none: stack.append(.none)
    case .newTrue: stack.append(.bool(true))
    case .newFalse: stack.append(.bool(false))
    case .binInt: stack.append(.integer(Int(try bytes.integer(Int32.self))))
    case .binInt1: stack.append(.integer(Int(try bytes.byte())))
    case .binInt2: stack.append(.integer(Int(try bytes.integer(UInt16.self))))
    case .long1: stack.append(try bytes.long(count: bytes.count(UInt8.self)))
    case .long4: stack.append(try bytes.long(count: bytes.count(UInt32.self)))
    case .binFloat: stack.append(.float(Double(bitPattern: try bytes.integer(UInt64.self).byteSwapped)))
    case .shortBinUnicode, .shortBinString:
      stack.append(.string(try bytes.string(count: bytes.count(UInt8.self))))
    case .binUnicode, .binString: stack.append(.string(try bytes.string(count: bytes.count(UInt32.self))))
    case .binUnicode8: stack.append(.string(try bytes.string(count: bytes.count(UInt64.self))))
    case .shortBinBytes: try pushBytes(count: bytes.count(UInt8.self))
    case .binBytes: try pushBytes(count: bytes.count(UInt32.self))
    case .binBytes8, .byteArray8: try pushBytes(count: bytes.count(UInt64.self))
    case .emptyTuple: stack.append(arena.makeTuple([]))
    case .emptyList: stack.append(arena.makeList())
    case .emptyDictionary: stack.append(arena.makeDictionary(isOrdered: false))
    case .emptySet: stack.append(.set)
    case .frozenSet:
      stack.removeSubrange(try closeMark()...)
      stack.append(.set)
    case .addItems: try addItems(from: try closeMark())
    case .mark: try openMark()
    case .tuple: try makeTuple(from: try closeMark())
    case .tuple1: try makeTuple(count: 1)
    case .tuple2: try makeTuple(count: 2)
    case .tuple3: try makeTuple(count: 3)
    case .append: try append(from: stack.count - 1)
    case .appends: try append(from: try closeMark())
    case .setItem: try setItems(from: stack.count - 2)
    case .setItems: try setItems(from: try closeMark())
    case .binPut: try put(at: Int(try bytes.byte()))
    case .longBinPut: try put(at: Int(try bytes.integer(UInt32.self)))
    case .memoize: try put(at: memo.count)
    case .binGet: try get(at: Int(try bytes.byte()))
    case .longBinGet: try get(at: Int(try bytes.integer(UInt32.self)))
    case .global: stack.append(.global(try bytes.global()))
    case .stackGlobal:
      guard case .string(let name) = try pop(), case .string(let module) = try pop() else {
        throw failure("a class without a name")
      }
      stack.append(.global(try bytes.global(module: module, name: name)))
    case .binPersistentID: stack.append(try persistentLoad(try pop()))
    case .reduce, .newObject:
      let arguments = try pop()
      let function = try pop()
      stack.append(try call(function, arguments))
    case .newObjectWithKeywords:
      guard case .dictionary = try pop() else { throw failure("keywords that are no dict") }
      let arguments = try pop()
      let function = try pop()
      guard case .global(.foreign) = function else {
        throw failure("a call of \(function.kind) with keywords")
      }
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
    guard start > floor else { throw failure("an append without a list") }
    switch stack[start - 1] {
    case .list(let list): arena.lists[list].append(contentsOf: stack[start...])
    case .foreignObject: break
    default: throw failure("an append without a list")
    }
    stack.removeSubrange(start...)
  }

  private mutating func setItems(from start: Int) throws(Failure) {
    guard start > floor else { throw failure("an item is set without a dict") }
    guard (stack.count - start).isMultiple(of: 2) else { throw failure("a key without its value") }
    switch stack[start - 1] {
    case .dictionary(let dictionary):
      for index in stride(from: start, to: stack.count, by: 2) {
        arena.dictionaries[dictionary].entries.append((stack[index], stack[index + 1]))
      }
    case .foreignObject: break
    default: throw failure("an item is set without a dict")
    }
    stack.removeSubrange(start...)
  }

  private mutating func addItems(from start: Int) throws(Failure) {
    guard start > floor else { throw failure("an item is added without a set") }
    switch stack[start - 1] {
    case .set, .foreignObject: stack.removeSubrange(start...)
    default: throw failure("an item is added without a set")
    }
  }

  /// No tensor is described by bytes, so they are passed over.
  private mutating func pushBytes(count: Int) throws(Failure) {
    _ = try bytes.slice(count: count)
    stack.append(.bytes)
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
