import Audio
import Collectives
import Diagnostics
import Foundation
import TensorCore
import Verification

/// The weights that voices are compared with, and how: what `enroll`, `identify` and `verify` have in common.
public struct VoiceOptions: Sendable {
  /// The weights, and the network they belong to.
  public var source: WeightsSource
  /// `key=value`, beating the configuration file.
  public var overrides: [String] = []
  /// Threads of each process; `nil` for its share of the machine's cores.
  public var threads: Int?

  /// Compares voices with `source`.
  public init(source: WeightsSource) { self.source = source }

  /// The embeddings of sound files. Collective; the ranks share the files.
  ///
  /// - Throws: on all ranks, also for a file that cannot be read.
  func embed<C: Communicator>(
    _ paths: [String], _ communicator: C, _ console: Console
  ) throws -> VoiceEmbeddings {
    let trained = try TrainedModel(source, overrides: overrides, communicator, note: console.info)
    let threads = try ThreadCount.resolve(threads, communicator)
    KernelSet.start()
    let extractor = try communicator.agreeing { try trained.extractor(overrides, warn: console.warning) }
    let predictor = SoundPredictor(
      communicator: communicator, model: trained.model, state: trained.state, extractor: extractor,
      normalization: trained.configuration.features.meanNormalization, team: EvaluationTeam(threads: threads))
    let (answers, rows) = try predictor(
      paths.map { SoundSource(path: $0) }, top: 0, rows: .embedding, console: console)
    let failures = answers.compactMap { answer in
      if case .failure(let failure) = answer { failure } else { nil }
    }
    try console.throwLast(of: failures)
    let layout = trained.model.layout
    let parameters = UnsafeRawBufferPointer(start: trained.state.parameters, count: layout.count * 4)
    let statistics = UnsafeRawBufferPointer(
      start: trained.state.statistics, count: layout.statisticsCount * 4)
    let checksum = ParameterChecksum.of(statistics, seed: ParameterChecksum.of(parameters))
    return VoiceEmbeddings(
      network: String(checksum, radix: 16), file: trained.file, width: trained.model.embeddingWidth,
      seconds: try answers.map { try $0.get().seconds }, values: rows ?? [])
  }
}

/// Embeddings of sound files, on rank 0.
struct VoiceEmbeddings {
  /// Tells one network from another.
  let network: String
  /// The file of its weights.
  let file: String
  let width: Int
  /// Of each recording.
  let seconds: [Double]
  /// [recordings, width]; empty on other ranks.
  fileprivate let values: [Float]

  init(network: String, file: String, width: Int, seconds: [Double], values: [Float]) {
    (self.network, self.file, self.width, self.seconds, self.values) = (network, file, width, seconds, values)
  }

  subscript(index: Int) -> ArraySlice<Float> { ArraySlice(values[index * width..<(index + 1) * width]) }

  /// A store of speakers whose embeddings are of the same network.
  ///
  /// - Throws: as its reading, and `badData` for one of another network.
  func store(_ path: String) throws -> SpeakerStore {
    let store = try SpeakerStore(reading: path)
    guard store.network == network, store.width == width else {
      throw Failure(
        .badData,
        "\(path): its speakers were enrolled with other weights than \(file): expected those, or a new store; embeddings of"
          + " two networks cannot be compared")
    }
    return store
  }
}

/// When a score is enough.
public struct VoiceDecision: Sendable {
  /// What `calibrate` wrote; nil for no decision.
  public var calibration: String?
  /// How often it is the speaker before anything was heard, 0 < p < 1.
  public var prior = 0.05

  /// No decision.
  public init() {}

  /// What is decided by; nil without a calibration.
  func resolved() throws -> (ratio: Calibration, threshold: Double)? {
    guard prior > 0, prior < 1 else {
      throw Failure(.usage, "--prior: expected more than 0 and less than 1, found \(prior)")
    }
    guard let calibration else { return nil }
    return (try Calibration(reading: calibration), log((1 - prior) / prior))
  }
}
