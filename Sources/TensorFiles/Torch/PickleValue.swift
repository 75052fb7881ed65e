/// A value on the pickle machine's stack.
///
/// Everything that can contain something is an index into the machine's arena. So a hostile file can build
/// neither a cycle that leaks nor a tower of tuples whose release would overflow the stack.
enum PickleValue {
  case none
  case bool(Bool)
  case integer(Int)
  /// Two's complement, little endian, of more than eight bytes.
  case longInteger([UInt8])
  case float(Double)
  case string(String)
  case tuple(Int)
  case list(Int)
  case dictionary(Int)
  /// Without its items.
  case set
  /// Without their contents.
  case bytes
  case global(TorchGlobal)
  /// What a class or function that is not run would make; the name is that of the class.
  case foreignObject(of: String)
  case storage(Int)
  case tensor(Int)

  /// What errors call such a value.
  var kind: String {
    switch self {
    case .none: "None"
    case .bool: "a bool"
    case .integer, .longInteger: "an int"
    case .float: "a float"
    case .string: "a str"
    case .tuple: "a tuple"
    case .list: "a list"
    case .dictionary: "a dict"
    case .set: "a set"
    case .bytes: "bytes"
    case .global(let global): "the class or function \(global.fullName)"
    case .foreignObject(let name): "what \(name) makes, which is not run,"
    case .storage: "a storage"
    case .tensor: "a tensor"
    }
  }
}

/// A dict or an OrderedDict, in the order of insertion.
struct PickleDictionary {
  let isOrdered: Bool
  var entries: [(key: PickleValue, value: PickleValue)] = []
}

/// The objects that a pickle has built.
struct PickleArena {
  private var tupleItems: [PickleValue] = []
  private var tuples: [Range<Int>] = []
  var lists: [[PickleValue]] = []
  var dictionaries: [PickleDictionary] = []
  var storages: [TorchStorage] = []
  var tensors: [TorchTensorView] = []

  func tuple(_ index: Int) -> ArraySlice<PickleValue> { tupleItems[tuples[index]] }

  mutating func makeTuple(_ items: some Collection<PickleValue>) -> PickleValue {
    let start = tupleItems.count
    tupleItems.append(contentsOf: items)
    tuples.append(start..<tupleItems.count)
    return .tuple(tuples.count - 1)
  }

  mutating func makeList() -> PickleValue {
    lists.append([])
    return .list(lists.count - 1)
  }

  mutating func makeDictionary(isOrdered: Bool) -> PickleValue {
    dictionaries.append(PickleDictionary(isOrdered: isOrdered))
    return .dictionary(dictionaries.count - 1)
  }
}

/// The classes and functions that a file of tensors may name. Each stands for something this program does itself.
enum TorchGlobal: Equatable {
  /// `collections.OrderedDict()`
  case orderedDictionary
  /// `torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata])`
  case rebuildTensor
  /// `torch._utils._rebuild_parameter(data, requires_grad, hooks)`
  case rebuildParameter
  /// `torch.Size(tuple)`
  case size
  /// `torch.FloatStorage` and its siblings.
  case storage(ElementType)
  /// Everything else, by its name, which is all that is known of it.
  case foreign(String)

  init(module: String, name: String) {
    switch (module, name) {
    case ("collections", "OrderedDict"): self = .orderedDictionary
    case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor
    case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
    case ("torch", "Size"): self = .size
    case ("torch", _):
      let type = ElementType.allCases.first { $0.torchStorageName == name }
      self = type.map(TorchGlobal.storage) ?? .foreign("\(module).\(name)")
    default: self = .foreign("\(module).\(name)")
    }
  }

  /// Module and name, as `GLOBAL` writes them.
  var qualifiedName: (module: String, name: String) {
    switch self {
    case .orderedDictionary: ("collections", "OrderedDict")
    case .rebuildTensor: ("torch._utils", "_rebuild_tensor_v2")
    case .rebuildParameter: ("torch._utils", "_rebuild_parameter")
    case .size: ("torch", "Size")
    case .storage(let type): ("torch", type.torchStorageName ?? "")
    case .foreign(let name): ("", name)
    }
  }

  var fullName: String {
    if case .foreign(let name) = self { return name }
    return "\(qualifiedName.module).\(qualifiedName.name)"
  }
}

extension ElementType {
  /// PyTorch's class for storages of this type; nil for the unsigned types that have none.
  var torchStorageName: String? {
    switch self {
    case .bool: "BoolStorage"
    case .uint8: "ByteStorage"
    case .int8: "CharStorage"
    case .int16: "ShortStorage"
    case .int32: "IntStorage"
    case .int64: "LongStorage"
    case .float16: "HalfStorage"
    case .bfloat16: "BFloat16Storage"
    case .float32: "FloatStorage"
    case .float64: "DoubleStorage"
    case .uint16, .uint32, .uint64: nil
    }
  }
}
