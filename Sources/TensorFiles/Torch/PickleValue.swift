/// A value on the pickle machine's stack.
///
/// Everything that can contain something is an index into the machine's arena. So a hostile file can build
/// neither a cycle that leaks nor a tower of tuples whose release would overflow the stack.
enum PickleValue {
  case none
  case bool(Bool)
  case integer(Int)
  case float(Double)
  case string(String)
  case tuple(Int)
  case list(Int)
  case dictionary(Int)
  case emptySet
  case global(TorchGlobal)
  case storage(Int)
  case tensor(Int)

  /// What errors call such a value.
  var kind: String {
    switch self {
    case .none: "None"
    case .bool: "a bool"
    case .integer: "an int"
    case .float: "a float"
    case .string: "a str"
    case .tuple: "a tuple"
    case .list: "a list"
    case .dictionary: "a dict"
    case .emptySet: "a set"
    case .global(let global): "the class or function \(global.fullName)"
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
