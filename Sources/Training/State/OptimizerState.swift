import Diagnostics
import SpeakerNet
import TensorFiles

/// AdamW's moments of all parameters that are trained, in the order of the flat buffer.
struct OptimizerState: Equatable {
  /// First and second moments, [trainedCount].
  var moment: [Float], variance: [Float]

  init(moment: [Float], variance: [Float]) {
    self.moment = moment
    self.variance = variance
  }

  /// Named as in `torch.optim.AdamW`: `exp_avg.NAME`, `exp_avg_sq.NAME`, each in its parameter's shape.
  func tensors(_ layout: ParameterLayout) -> NamedTensors {
    NamedTensors(
      layout.entries.filter(\.isTrained).flatMap { entry in
        let place = entry.parameter.offset..<entry.parameter.offset + entry.parameter.count
        return [
          ("exp_avg.\(entry.name)", Tensor(float32: Array(moment[place]), shape: entry.shape)),
          ("exp_avg_sq.\(entry.name)", Tensor(float32: Array(variance[place]), shape: entry.shape)),
        ]
      })
  }

  /// - Throws: bad data when a moment is missing or has another shape.
  init(_ tensors: NamedTensors, _ layout: ParameterLayout, file: String) throws(Failure) {
    moment = []
    variance = []
    moment.reserveCapacity(layout.trainedCount)
    variance.reserveCapacity(layout.trainedCount)
    for entry in layout.entries where entry.isTrained {
      moment += try Self.values("exp_avg.\(entry.name)", entry.shape, tensors, file)
      variance += try Self.values("exp_avg_sq.\(entry.name)", entry.shape, tensors, file)
    }
  }

  private static func values(
    _ name: String, _ shape: [Int], _ tensors: NamedTensors, _ file: String
  ) throws(Failure) -> [Float] {
    let tensor = try tensors.tensor(name, in: file)
    guard tensor.shape == shape else {
      throw Failure(.badData, "\(file): \(name) has shape \(tensor.shape), but the model needs \(shape)")
    }
    return try tensor.float32Values(named: name, in: file)
  }
}
