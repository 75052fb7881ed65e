import Diagnostics

/// What the few allowed classes and functions do when a pickle calls them.
extension PickleMachine {
  /// BINPERSID: `('storage', StorageClass, key, location, elementCount)`, and `None` behind them before PyTorch 1.6,
  /// where storages that were parts of others had more to say.
  mutating func persistentLoad(_ identifier: PickleValue) throws(Failure) -> PickleValue {
    guard let fields = items(identifier, atMost: 6), fields.count >= 5, case .string("storage") = fields[0],
      case .global(let storageClass) = fields[1], case .string(let key) = fields[2], case .string = fields[3],
      case .integer(let count) = fields[4]
    else {
      throw failure("a storage must be named ('storage', class, key, location, count)")
    }
    if fields.count == 6 {
      guard case .none = fields[5] else { throw failure("a storage that is a part of another one") }
    }
    guard case .storage(let type) = storageClass else {
      throw failure("needs \(storageClass.fullName), a kind of numbers that is not read")
    }
    guard count >= 0, type.byteCount(ofShape: [count]) != nil else {
      throw failure("a storage of \(count) elements")
    }
    arena.storages.append(TorchStorage(elementType: type, key: key, elementCount: count))
    return .storage(arena.storages.count - 1)
  }

  /// REDUCE and NEWOBJ: a call of an allowed class or function.
  mutating func call(_ function: PickleValue, _ arguments: PickleValue) throws(Failure) -> PickleValue {
    guard case .global(let global) = function else {
      // As the classes that a function gives back are: nobody knows.
      if case .foreignObject = function { return function }
      throw failure("a call of \(function.kind)")
    }
    if case .foreign(let name) = global { return .foreignObject(of: name) }
    guard let arguments = items(arguments, atMost: 7) else { throw wrongArguments(global) }
    switch global {
    case .orderedDictionary:
      guard arguments.isEmpty else { throw wrongArguments(global) }
      return arena.makeDictionary(isOrdered: true)
    case .size:
      guard arguments.count == 1, case .tuple = arguments[0] else { throw wrongArguments(global) }
      return arguments[0]
    case .rebuildTensor: return try rebuildTensor(arguments)
    case .rebuildParameter:
      guard arguments.count == 3, case .tensor = arguments[0], case .bool = arguments[1],
        isEmptyDictionary(arguments[2])
      else { throw wrongArguments(global) }
      return arguments[0]
    case .storage, .foreign: throw failure("a call of \(global.fullName), which is only ever named")
    }
  }

  /// BUILD: `state_dict()` hangs its `_metadata` (module versions) on the OrderedDict, which no tensor needs.
  func build(_ object: PickleValue, _ state: PickleValue) throws(Failure) {
    if case .foreignObject = object { return }
    guard case .dictionary(let index) = object, arena.dictionaries[index].isOrdered,
      case .dictionary = state
    else { throw failure("\(state.kind) is set as the state of \(object.kind)") }
  }

  private mutating func rebuildTensor(_ arguments: [PickleValue]) throws(Failure) -> PickleValue {
    guard arguments.count == 6 || arguments.count == 7, case .storage(let storage) = arguments[0],
      case .integer(let offset) = arguments[1], let shape = integers(arguments[2]),
      let stride = integers(arguments[3]), case .bool = arguments[4], isEmptyDictionary(arguments[5])
    else { throw wrongArguments(.rebuildTensor) }
    if arguments.count == 7 { try checkMetadata(arguments[6]) }
    do throws(TorchTensorView.Misfit) {
      let view = try TorchTensorView(
        of: arena.storages[storage], at: storage, offset: offset, shape: shape, stride: stride)
      arena.tensors.append(view)
      return .tensor(arena.tensors.count - 1)
    } catch {
      throw failure(error.problem)
    }
  }

  /// The metadata of a conjugated or negated view, whose elements would have to be changed.
  private func checkMetadata(_ metadata: PickleValue) throws(Failure) {
    if case .none = metadata { return }
    guard isEmptyDictionary(metadata) else {
      throw failure("a tensor with special flags (a conjugated or negated view); save a clone() of it")
    }
  }

  /// The items of a short tuple. Longer ones than any call takes are not even copied: the memo can name one
  /// tuple many times.
  private func items(_ value: PickleValue, atMost maximumCount: Int) -> [PickleValue]? {
    guard case .tuple(let index) = value else { return nil }
    let items = arena.tuple(index)
    return items.count <= maximumCount ? Array(items) : nil
  }

  private func integers(_ value: PickleValue) -> [Int]? {
    guard let items = items(value, atMost: TorchTensorView.maximumRank) else { return nil }
    var integers: [Int] = []
    for item in items {
      guard case .integer(let integer) = item else { return nil }
      integers.append(integer)
    }
    return integers
  }

  private func isEmptyDictionary(_ value: PickleValue) -> Bool {
    if case .dictionary(let index) = value { arena.dictionaries[index].entries.isEmpty } else { false }
  }

  private func wrongArguments(_ global: TorchGlobal) -> Failure {
    failure("\(global.fullName) with other arguments than PyTorch gives it")
  }
}
