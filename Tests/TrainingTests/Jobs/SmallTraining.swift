import Collectives
import Foundation
import TensorFiles
import TestSupport
import Training

/// A training of 50 steps that takes a moment, as the command line would run it, over a group of this process.
struct SmallTraining {
  /// One small recipe of each encoder; between them every pooling, head and loss. Dropout is on in all.
  static let recipes: [String: [String]] = [
    "transformer": ["kind=transformer", "layers=2", "heads=2", "feedforward=32"],
    "conformer": [
      "kind=conformer", "layers=1", "heads=4", "feedforward=24", "kernel=7", "pooling.kind=sap",
      "head=linear",
    ],
    "shared_transformer": [
      "kind=shared_transformer", "layers=3", "heads=1", "feedforward=48", "head=mlp_sigmoid",
    ],
    "conv_transformer": ["kind=conv_transformer", "layers=3", "heads=2", "feedforward=40", "head=bn_linear"],
    "margin": [
      "kind=transformer", "layers=1", "heads=1", "feedforward=32", "pooling.kind=sap_full",
      "pooling.attention=8", "head=linear", "loss.kind=am_softmax",
    ],
  ]

  let data: String
  var settings: [String: String]

  /// - Parameter recipe: a key of ``recipes``.
  init(_ recipe: String, data: String) {
    self.data = data
    settings = [
      "model.d_model": "16", "model.encoder.dropout": "0.1", "train.total_steps": "50",
      "train.warmup_steps": "5", "train.learning_rate": "0.01", "train.batch_size": "16", "train.shards": "8",
      "train.segment_length": "16",
      // Neither falls on the end of a line of metrics, so what a checkpoint remembers of a line is tested too.
      "train.valid_steps": "30", "train.save_steps": "20",
    ]
    for setting in Self.recipes[recipe] ?? [] {
      let parts = setting.split(separator: "=").map(String.init)
      let isEncoders = ["kind", "layers", "heads", "feedforward", "kernel"].contains(parts[0])
      settings[isEncoders ? "model.encoder.\(parts[0])" : "model.\(parts[0])"] = parts[1]
    }
  }

  /// Who computes.
  enum Group: Equatable, CustomStringConvertible, Sendable {
    case solo
    case threads(ranks: Int)

    var description: String {
      switch self {
      case .solo: "alone"
      case .threads(let ranks): "on \(ranks) ranks"
      }
    }
  }

  /// Trains in `directory`, or goes on there, and returns what is in it in the end.
  func run(in directory: String, _ group: Group, threads: Int, resume: Bool = false) throws -> TrainingResult
  {
    var job = TrainJob()
    job.data = data
    job.runDirectory = directory
    job.overrides = settings.map { "\($0)=\($1)" }.sorted()
    job.beginning = resume ? .resuming : .new
    job.threads = threads
    let prepared = job
    switch group {
    case .solo: try prepared.run(SoloGroup(), console: Console(talks: false))
    case .threads(let ranks):
      _ = try ThreadGroup.run(size: ranks) { try prepared.run($0, console: Console(talks: false)) }
    }
    return try TrainingResult(run: directory)
  }

  /// Trains in a folder of its own.
  func callAsFunction(_ group: Group, threads: Int = 1) throws -> TrainingResult {
    let folder = TemporaryFolder()
    return try run(in: "\(folder.path)/run", group, threads: threads)
  }
}
