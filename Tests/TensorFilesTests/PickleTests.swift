import Diagnostics
import TensorFiles
import TestSupport
import Testing

/// Reads a sound zip file around a pickle written by hand; its storage is 16 bytes, the floats 0, 1, 2, 3.
private func read(_ object: [UInt8]) throws -> Tensor { try readPickle(Pickle.whole(object)) }

private func readPickle(_ pickle: [UInt8]) throws -> Tensor {
  let folder = TemporaryFolder()
  let storage = Tensor(float32: [0, 1, 2, 3], shape: [4]).bytes
  return try TorchFile.readTensor(
    path: try folder.write(torchFile(pickle: pickle, storage: storage), to: "t.pt"))
}

private func readStateDict(_ object: [UInt8]) throws -> NamedTensors {
  let folder = TemporaryFolder()
  let storage = Tensor(float32: [0, 1, 2, 3], shape: [4]).bytes
  return try TorchFile.readStateDict(
    path: try folder.write(torchFile(pickle: Pickle.whole(object), storage: storage), to: "t.ckpt"))
}

private let storage = Pickle.storage(count: 4)
private let whole = Pickle.tensor(storage, shape: [4], stride: [1])

@Suite struct PickleReading {
  @Test("a view takes its elements by offset, shape and stride") func views() throws {
    #expect(try read(whole).float32Values() == [0, 1, 2, 3])
    #expect(try read(Pickle.tensor(storage, offset: 1, shape: [2], stride: [2])).float32Values() == [1, 3])
    #expect(
      try read(Pickle.tensor(storage, shape: [2, 2], stride: [1, 2])).float32Values() == [0, 2, 1, 3])
    #expect(try read(Pickle.tensor(storage, offset: 3, shape: [], stride: [])).float32Values() == [3])
    #expect(try read(Pickle.tensor(storage, offset: 4, shape: [0, 9], stride: [9, 1])).shape == [0, 9])
    // Where there is one index, its stride is never taken.
    let single = Pickle.tensor(storage, offset: 1, shape: [1, 2], stride: [.max, 2])
    #expect(try read(single).float32Values() == [1, 3])
    // Overlapping windows that are not larger than the storage.
    #expect(
      try read(Pickle.tensor(storage, shape: [2, 2], stride: [1, 1])).float32Values() == [0, 1, 1, 2])
  }

  @Test("plain values of every form may stand beside a state dict's tensors") func plainValues() throws {
    // Memo, lists, floats, sets and all integer forms, then dropped into the state of an OrderedDict.
    let state =
      Array("}".utf8) + Pickle.string("_metadata") + Array("](".utf8) + [0x4A, 1, 2, 3, 0xFF]
      + [0x4D, 1, 2, 0x4B, 7, 0x8A, 0, 0x8A, 2, 0, 0xFF, 0x47] + Array(repeating: 0, count: 8)
      + [
        0x4E, 0x88, 0x89, 0x8F, 0x55, 2, 0x61, 0x62, 0x29, 0x71, 0, 0x68, 0, 0x72, 1, 0, 0, 0, 0x6A, 1, 0, 0,
        0,
      ]
      + Array("e]a".utf8) + [0x4B, 1, 0x85, 0x61] + [0x4B, 1, 0x4B, 2, 0x86, 0x61] + Array("s".utf8)
    let dictionary =
      Pickle.orderedDictionary + Pickle.string("w") + whole + Array("s".utf8) + state + Array("b".utf8)
    #expect(try readStateDict(dictionary).names == ["w"])
  }

  @Test("a parameter is its tensor, and a shape may be a torch.Size") func parameters() throws {
    let parameter =
      Pickle.global("torch._utils", "_rebuild_parameter")
      + Pickle.tuple(whole, [0x88], Pickle.orderedDictionary)
      + Array("R".utf8)
    #expect(try read(parameter).float32Values() == [0, 1, 2, 3])
    let size = Pickle.global("torch", "Size") + Pickle.tuple(Pickle.tuple([2, 2])) + Array("R".utf8)
    let tensor =
      Pickle.global("torch._utils", "_rebuild_tensor_v2")
      + Pickle.tuple(
        storage, [0x4B, 0], size, Pickle.tuple([2, 1]), [0x88], Pickle.orderedDictionary, [0x4E])
      + Array("R".utf8)
    #expect(try read(tensor).shape == [2, 2])
  }
}

@Suite struct PickleMalformed {
  @Test(
    "a class or function that is not a tensor's is named, and never called",
    arguments: [
      ("os", "system"), ("builtins", "eval"), ("torch", "load"), ("torch", "Tensor"),
      ("collections", "Counter"),
      ("torch._utils", "_rebuild_sparse_tensor"), ("numpy.core.multiarray", "_reconstruct"),
    ])
  func foreignGlobals(module: String, name: String) throws {
    let call = Pickle.global(module, name) + Pickle.tuple(Pickle.string("echo")) + Array("R".utf8)
    expectFailure(saying: "holds what \(module).\(name) makes, which is not run") { try read(call) }
    // The same by STACK_GLOBAL and NEWOBJ_EX, and what is done to it afterwards.
    let object =
      shortString(module) + shortString(name) + [0x93] + Array(")".utf8) + Array("}".utf8) + [0x92]
      + Array("Nb(NNu(Ne(N".utf8) + [0x90]
    expectFailure(saying: "holds what \(module).\(name) makes, which is not run") { try read(object) }
    expectFailure(saying: "holds the class or function \(module).\(name)") {
      try read(Pickle.global(module, name))
    }
    // Beside the tensors nobody minds, and in their place it is named.
    let dictionary =
      Array("}(".utf8) + Pickle.string("state_dict") + Array("}".utf8) + Pickle.string("w") + whole
    let beside = Array("s".utf8) + Pickle.string("x") + object + Array("u".utf8)
    #expect(try readStateDict(dictionary + beside).names == ["w"])
    expectFailure(saying: "entry \"w\" is what \(module).\(name) makes") {
      try readStateDict(Array("}".utf8) + Pickle.string("w") + object + Array("s".utf8))
    }
  }

  private func shortString(_ text: String) -> [UInt8] { [0x8C, UInt8(text.utf8.count)] + Array(text.utf8) }

  @Test("an opcode that PyTorch does not write is named with its byte") func opcodes() {
    // INT, LONG, PERSID, DUP, POP, INST, OBJ, EXT1, NEXT_BUFFER and the like.
    let known = Set("().BCGJKMNQRTUX]abcehjqrstu}".utf8).union(0x80...0x81).union(0x85...0x96)
    for opcode in UInt8.min...UInt8.max where !known.contains(opcode) {
      expectFailure(saying: "byte 2: the opcode 0x\(String(opcode, radix: 16)) does not occur") {
        try read([opcode])
      }
    }
  }

  @Test("protocols 2 to 5 are read; another, or one in the wrong place, is named") func protocols() throws {
    expectFailure(saying: "is no pickle of protocol 2") { try readPickle([]) }
    expectFailure(saying: "is no pickle of protocol 2") { try readPickle(whole) }
    for version: UInt8 in 2...5 {
      #expect(try readPickle([0x80, version] + whole + Pickle.stop).elementCount == 4)
    }
    for version: UInt8 in [0, 1, 6, 255] {
      expectFailure(saying: "pickle protocol \(version)") {
        try readPickle([0x80, version] + whole + Pickle.stop)
      }
    }
    expectFailure(saying: "not at the start") { try read([0x80, 2] + whole) }
  }

  @Test("an opcode without what it needs on the stack is refused") func stacks() {
    for text in [
      ".", "Q", "R", "b", "a", "s", "q\u{0}", "(Q", "K\u{1}(R", "]a", "}K\u{1}s", "(K\u{1}Q", "(q\u{0}",
    ] {
      expectFailure(saying: "data.pkl, byte") { try read(Array(text.utf8)) }
    }
    for opcode: UInt8 in [0x81, 0x85, 0x86, 0x87] {
      expectFailure(saying: "the stack is empty") { try read([opcode]) }
      expectFailure(saying: "the stack is empty") { try read(Array("K\u{1}(".utf8) + [opcode]) }
    }
    for text in ["t", "u", "e"] { expectFailure(saying: "no mark") { try read(Array(text.utf8)) } }
    expectFailure(saying: "append without a list") { try read(Array("}Na".utf8)) }
    expectFailure(saying: "append without a list") { try read(Array("(e".utf8)) }
    expectFailure(saying: "append without a list") { try read(Array("](Na".utf8)) }
    expectFailure(saying: "without a set") { try read(Array("](N".utf8) + [0x90]) }
    expectFailure(saying: "without a set") { try read(Array("(N".utf8) + [0x90]) }
    expectFailure(saying: "a class without a name") { try read(Array("NN".utf8) + [0x93]) }
    expectFailure(saying: "keywords that are no dict") { try read(Array("NNN".utf8) + [0x92]) }
    expectFailure(saying: "without a dict") { try read(Array("]NNs".utf8)) }
    expectFailure(saying: "key without its value") { try read(Array("}(Nu".utf8)) }
    expectFailure(saying: "unused values") { try read(Array("N".utf8) + whole) }
    expectFailure(saying: "unused values") { try read(Array("(".utf8) + whole) }
    expectFailure(saying: "1 bytes after STOP") { try readPickle(Pickle.whole(whole) + [0]) }
    expectFailure(saying: "memo entry 3 is used before") { try read(Array("h\u{3}".utf8)) }
    expectFailure(saying: "memo index 4294967295 is out of range") {
      try read([0x4E, 0x72, 255, 255, 255, 255])
    }
  }

  @Test("an operand that is cut short or no text is refused") func operands() {
    for bytes: [UInt8] in [
      [0x4A, 0], [0x4B], [0x4D, 0], [0x47, 0], [0x58, 1, 0], [0x58, 255, 255, 255, 255], [0x55, 9],
      [0x8A, 4, 1],
      [0x71], [0x68], [0x6A], [0x72],
    ] {
      expectFailure(saying: "data.pkl, byte") { try readPickle(Pickle.start + bytes) }
    }
    expectFailure(saying: "not valid UTF-8") { try read([0x55, 1, 0xFF]) }
    expectFailure(saying: "holds an int where") { try read([0x8A, 9] + Array(repeating: 1, count: 9)) }
    for opcode: UInt8 in [0x42, 0x54, 0x58, 0x8B, 0x8D, 0x8E, 0x96] {
      expectFailure(saying: "the pickle ends in the middle") {
        try read([opcode] + Array(repeating: 0xFF, count: 8))
      }
    }
    expectFailure(saying: "a class name that never ends") {
      try read([0x63] + Array(repeating: 0x61, count: 1000))
    }
    expectFailure(saying: "other than ASCII") { try read(Pickle.global("to\u{1B}[31mrch", "x")) }
  }

  @Test("a call with other arguments than PyTorch's is refused") func calls() {
    expectFailure(saying: "a call of None") { try read(Array("N)R".utf8)) }
    expectFailure(saying: "collections.OrderedDict with other arguments") {
      try read(Pickle.global("collections", "OrderedDict") + Array("NR".utf8))
    }
    expectFailure(saying: "collections.OrderedDict with other arguments") {
      try read(Pickle.global("collections", "OrderedDict") + Pickle.tuple([1]) + Array("R".utf8))
    }
    expectFailure(saying: "torch.FloatStorage, which is only ever named") {
      try read(Pickle.global("torch", "FloatStorage") + Array(")R".utf8))
    }
    expectFailure(saying: "_rebuild_tensor_v2 with other arguments") {
      try read(Pickle.global("torch._utils", "_rebuild_tensor_v2") + Array(")R".utf8))
    }
    expectFailure(saying: "a storage must be named") { try read(Pickle.string("storage") + Array("Q".utf8)) }
    expectFailure(saying: "a storage of -1 elements") { try read(Pickle.storage(count: -1)) }
    expectFailure(saying: "a storage of 4611686018427387904 elements") {
      try read(Pickle.storage(count: 1 << 62))
    }
    expectFailure(saying: "set as the state of a tensor") { try read(whole + Array("}b".utf8)) }
    expectFailure(saying: "set as the state of a dict") { try read(Array("}}b".utf8)) }
    let flags = Array("}".utf8) + Pickle.string("neg") + [0x88] + Array("s".utf8)
    expectFailure(saying: "special flags") {
      try read(
        Pickle.global("torch._utils", "_rebuild_tensor_v2")
          + Pickle.tuple(
            storage, [0x4B, 0], Pickle.tuple([4]), Pickle.tuple([1]), [0x89], Pickle.orderedDictionary, flags)
          + Array("R".utf8))
    }
  }

  @Test(
    "a view that does not fit into its storage is refused",
    arguments: [
      (0, [5], [1], "does not fit"), (1, [4], [1], "does not fit"), (0, [2, 2], [3, 1], "does not fit"),
      (-1, [1], [1], "offset -1"), (5, [0], [1], "offset 5"), (0, [-1], [1], "shape [-1]"),
      (0, [2], [-1], "stride [-1]"),
      (0, [2], [1, 1], "1 dimensions and 2 strides"), (0, [1000, 4], [0, 1], "repeats the 4 elements"),
      (0, [2, 2], [.max, .max], "does not fit"), (.max, [1], [1], "offset"),
      (0, [.max, .max], [0, 0], "shape"),
      (0, [1 << 40, 1 << 40, 0], [0, 0, 0], "shape"),
      (0, Array(repeating: 1, count: 65), Array(repeating: 1, count: 65), "other arguments"),
    ])
  func viewsThatDoNotFit(offset: Int, shape: [Int], stride: [Int], words: String) {
    expectFailure(saying: words) {
      try read(Pickle.tensor(storage, offset: offset, shape: shape, stride: stride))
    }
  }

  /// Each of these made some unpickler use gigabytes or its whole stack.
  @Test("a pickle that would take gigabytes or the whole stack is refused") func bombs() {
    expectFailure(saying: "on the stack") { try read(Array(repeating: 0x4E, count: 200_000)) }
    expectFailure(saying: "open marks") { try read(Array(repeating: 0x28, count: 200_000)) }
    expectFailure(saying: "bytes of pickle") { try read(Array(repeating: 0x4E, count: 9 << 20)) }
    // A tower of tuples, a list in itself, and lists appended from the outermost in.
    expectFailure(saying: "holds a tuple") { try read([0x29] + Array(repeating: 0x85, count: 1_000_000)) }
    expectFailure(saying: "holds a list") { try read(Array("]q\u{0}h\u{0}a".utf8)) }
    let chain = Array("]".utf8) + Array(repeating: Array("]q\u{0}ah\u{0}".utf8), count: 30_000).flatMap { $0 }
    expectFailure(saying: "stack") { try read(chain) }
    // One long tuple, named again and again as a shape.
    let long = Array("(".utf8) + Array(repeating: 0x4E, count: 90_000) + Array("tq\u{0}".utf8)
    let uses = Array(repeating: Pickle.global("torch", "Size") + Array("h\u{0}R".utf8), count: 1000).flatMap {
      $0
    }
    expectFailure(saying: "torch.Size with other arguments") { try read(long + uses) }
  }

  @Test("a state dict has text as keys, each once, and tensors as values") func stateDicts() throws {
    func dictionary(_ items: [UInt8]...) -> [UInt8] {
      Array("}(".utf8) + items.flatMap { $0 } + Array("u".utf8)
    }
    #expect(try readStateDict(dictionary(Pickle.string("a"), whole)).names == ["a"])
    expectFailure(saying: "\"a\" comes twice") {
      try readStateDict(dictionary(Pickle.string("a"), whole, Pickle.string("a"), whole))
    }
    expectFailure(saying: "has an int as a key") { try readStateDict(dictionary([0x4B, 1], whole)) }
    expectFailure(saying: "entry \"a\" is None") { try readStateDict(dictionary(Pickle.string("a"), [0x4E])) }
  }

  /// Names for the same elements cost a hundred bytes, and the elements as much as they like.
  @Test(
    "a thousand names for the same elements are refused before they take a thousand times their memory",
    arguments: [999, 1000]) func manyNames(count: Int) throws
  {
    let view = Pickle.tensor(Pickle.storage(count: 1000), shape: [count], stride: [1])
    var items = Pickle.string("0") + view + [0x71, 0]
    for name in 1..<1000 { items += Pickle.string(String(name)) + [0x68, 0] }
    let folder = TemporaryFolder()
    let path = try folder.write(
      torchFile(
        pickle: Pickle.whole(Array("}(".utf8) + items + Array("u".utf8)),
        storage: Array(repeating: 0, count: 4000)))
    expectFailure(saying: "share their elements add up to more than 64 times") {
      try TorchFile.openStateDict(path: path)
    }
  }
}
