import Foundation
import TensorFiles
import TestSupport
import Training

/// What a run directory holds after 50 steps, but for what may differ: times, the
/// configuration, and which processors computed.
struct TrainingResult {
  /// Every parameter, statistic and moment, and the best weights.
  let tensors: NamedTensors
  let metrics: RunMetrics
  let progress: RunProgress

  init(run: String) throws {
    let directory = try RunDirectory.open(run)
    let checkpoint = try directory.checkpoints(keep: 3).read(step: 50)
    var tensors = NamedTensors()
    for (name, tensor) in checkpoint.model { tensors["weight \(name)"] = tensor }
    for (name, tensor) in checkpoint.optimizer { tensors["moment \(name)"] = tensor }
    let best = try Safetensors.read(path: directory.bestModelFile)
    for (name, tensor) in best { tensors["best \(name)"] = tensor }
    tensors.metadata = best.metadata
    self.tensors = tensors
    metrics = try RunMetrics(run: run)
    var progress = checkpoint.progress
    progress.kernels = []
    progress.settings = [:]
    self.progress = progress
  }

  /// What is not the same, bit for bit, as in `other`.
  func differences(from other: TrainingResult) -> [String] {
    var differences = tensors.names.filter { tensors[$0] != other.tensors[$0] }
    if tensors.names != other.tensors.names { differences.append("names") }
    if tensors.metadata != other.tensors.metadata { differences.append("best step and accuracy") }
    if metrics != other.metrics { differences.append("metrics.jsonl") }
    if progress != other.progress { differences.append("state.json") }
    return differences
  }

  /// The loss of the first and of the last line about training.
  var losses: (first: Double, last: Double) {
    let losses = metrics.lines(of: "train").compactMap { $0["loss"]?.double }
    return (losses.first ?? .nan, losses.last ?? .nan)
  }
}
