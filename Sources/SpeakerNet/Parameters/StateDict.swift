import Diagnostics
import TensorFiles

// A model's values under PyTorch's names, as `load_state_dict(strict=True)` wants them.
extension ModelState {
  /// Parameters and BatchNorm's buffers.
  ///
  /// Weights that layers share are there once; the further names that PyTorch's state dict has for them are
  /// metadata, each with the name it stands for (see ``NamedTensors/repeatingShared()``).
  public func stateDict() -> NamedTensors {
    var pairs: [(String, Tensor)] = []
    for entry in layout.entries {
      pairs.append((entry.name, tensor(parameters + entry.parameter.offset, shape: entry.shape)))
    }
    for entry in layout.statistics {
      pairs.append(
        ("\(entry.prefix).running_mean", tensor(statistics + entry.mean.offset, shape: [entry.mean.count])))
      pairs.append(
        (
          "\(entry.prefix).running_var",
          tensor(statistics + entry.variance.offset, shape: [entry.variance.count])
        ))
      pairs.append(("\(entry.prefix).num_batches_tracked", Tensor(int64: [batchesTracked], shape: [])))
    }
    let aliases = layout.aliases.map { ($0.name, $0.stored) }
    return NamedTensors(pairs, metadata: Dictionary(uniqueKeysWithValues: aliases))
  }

  /// Takes the values of a state dict.
  ///
  /// Names that the notebook's models carry without using them (a dead template layer, a second name for the same
  /// module, shared weights repeated for each layer) are passed over.
  ///
  /// - Parameter file: named in errors.
  /// - Returns: the names that were passed over.
  /// - Throws: bad data, when a name is missing or unknown, or a shape or a type is not the model's.
  @discardableResult
  public func load(_ tensors: some TensorSource, file: String) throws(Failure) -> [String] {
    var used: Set<String> = []
    func floats(_ name: String, _ shape: [Int], _ destination: UnsafeMutablePointer<Float>) throws(Failure) {
      guard let found = tensors.description(of: name)?.shape else {
        throw Failure(.badData, "\(file): the weights lack \(name); is this the file of another model?")
      }
      guard found == shape else {
        throw Failure(.badData, "\(file): \(name) has shape \(found), but the model needs \(shape)")
      }
      let values = try tensors.tensor(name).float32Values(named: name, in: file)
      guard values.allSatisfy(\.isFinite) else {
        throw Failure(.badData, "\(file): \(name) holds a value that is not a finite number")
      }
      values.withUnsafeBufferPointer { destination.update(from: $0.baseAddress!, count: $0.count) }
      used.insert(name)
    }
    for entry in layout.entries { try floats(entry.name, entry.shape, parameters + entry.parameter.offset) }
    for entry in layout.statistics {
      try floats("\(entry.prefix).running_mean", [entry.mean.count], statistics + entry.mean.offset)
      try floats("\(entry.prefix).running_var", [entry.variance.count], statistics + entry.variance.offset)
      let name = "\(entry.prefix).num_batches_tracked"
      if tensors.description(of: name) != nil {
        batchesTracked = try tensors.tensor(name).int64Values(named: name, in: file).first ?? 0
      }
      used.insert(name)
    }
    let others = tensors.names.filter { !used.contains($0) }
    for name in others {
      if let stored = layout.aliases.first(where: { $0.name == name })?.stored {
        guard try tensors.tensor(name) == tensors.tensor(stored) else {
          throw Failure(
            .badData,
            "\(file): \(name) is not equal to \(stored), but in this model its layers share their weights")
        }
      } else if !isUnusedEncoder(name) {
        throw Failure(.badData, "\(file): the model has no \(name); is this the file of another model?")
      }
    }
    return others
  }

  /// Whether a name belongs to an encoder that the notebook's `forward` does not use: the template `encoder_layer`
  /// beside the `encoder` of its copies, or the other way round. In a model that has that encoder it is used.
  private func isUnusedEncoder(_ name: String) -> Bool {
    ["encoder_layer.", "encoder."].contains { prefix in
      name.hasPrefix(prefix) && !layout.entries.contains { $0.name.hasPrefix(prefix) }
    }
  }

  private func tensor(_ values: UnsafePointer<Float>, shape: [Int]) -> Tensor {
    Tensor(float32: Array(UnsafeBufferPointer(start: values, count: shape.reduce(1, *))), shape: shape)
  }
}
