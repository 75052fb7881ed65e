import Audio
import Collectives
import Diagnostics
import SpeechData

/// The options of `pack`, and the work: features or sound into memory-mapped shards.
public struct PackJob: Job {
  /// A folder of features or of sound, or a list, and what it is read as.
  public var source: CorpusSource
  /// The folder to pack into.
  public var output: String
  /// The number of shard files; `train.shards` of a run must divide it.
  public var shards = 8
  /// Whether a recording that cannot be used is an error.
  public var isStrict = false
  /// Configurations whose `audio` and `features` say what is made of sound.
  public var configurationFiles: [String] = []
  /// `key=value`, beating the file.
  public var overrides: [String] = []
  /// Threads of each process; `nil` for its share of the machine's cores.
  public var threads: Int?

  /// Packs `source` into `output`.
  public init(source: CorpusSource, output: String) {
    self.source = source
    self.output = output
  }

  /// Packs; each rank does its share.
  public func run<C: Communicator>(_ communicator: C, console: Console) throws {
    let threads = try ThreadCount.resolve(threads, communicator)
    let configuration = try communicator.agreeing {
      try Configuration.load(files: configurationFiles, overrides: overrides)
    }
    let data = source.path
    let layout = try communicator.agreeing {
      var source = source
      source.layout = source.layout ?? (source.speakerFrom == nil ? configuration.data.layout : nil)
      return try source.recognised()
    }
    switch layout {
    case .packed, .homework:
      if let key = overrides.first(where: { $0.hasPrefix("audio.") || $0.hasPrefix("features.") }) {
        throw Failure(
          .usage, "--set \(key): \(data) holds features (\(layout.rawValue)), of which no others are made")
      }
      try packFeatures(communicator, threads: threads, console: console)
    default:
      let packing = SoundPacking(
        source: CorpusSource(data, layout: layout, speakerFrom: source.speakerFrom), output: output,
        shards: shards,
        isStrict: isStrict,
        audio: configuration.audio, features: configuration.features)
      try packing.run(communicator, threads: threads, console: console)
    }
  }

  private func packFeatures<C: Communicator>(_ communicator: C, threads: Int, console: Console) throws {
    let packer = try communicator.agreeing { try Packer(source: source.path, output: output, files: shards) }
    let lock = try communicator.onRankZero {
      try packer.claim { console.info("Another process is packing into \(output): waiting for it") }
    }
    defer { lock?.release() }
    let start = Console.monotonicSeconds()
    try communicator.write(packer, threads: threads, console: console)
    _ = try communicator.onRankZero { try packer.finish() }
    let rate = Double(packer.utterances) / max(1e-9, Console.monotonicSeconds() - start)
    console.info(
      "Packed \(packer.utterances) utterances into \(packer.files) shards in \(output), "
        + "\(Int(rate.rounded())) uttr/s.")
  }
}

extension Communicator {
  /// Writes a pack's shards, each rank its own run of them, with a progress line. Collective.
  func write(_ packer: Packer, threads: Int, console: Console) throws {
    let mine = packer.files * rank / size..<packer.files * (rank + 1) / size
    try agreeing {
      try console.progress("Pack", unit: "uttr", total: packer.utterances) { bar in
        try packer.run(files: mine, threads: threads) { done, total in
          bar.expect(total: total)
          bar.reach(done)
        }
      }
    }
  }
}
