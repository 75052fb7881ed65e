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

  /// Nil for everything else.
  init?(module: String, name: String) {
    switch (module, name) {
    case ("collections", "OrderedDict"): self = .orderedDictionary
    case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor
    case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
    case ("torch", "Size"): self = .size
    case ("torch", _):
      guard let type = ElementType.allCases.first(where: { $0.torchStorageName == name }) else { return nil }
      self = .storage(type)
    default: return nil
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
    }
  }

  var fullName: String { "\(qualifiedName.module).\(qualifiedName.name)" }
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
