import Audio
import Collectives
import Diagnostics
import Foundation
import SpeechData
import TensorFiles

/// Makes a pack of sound, whichever job asks for it.
struct SoundPacking {
  /// A folder of sound or a list.
  let source: CorpusSource
  /// The folder to pack into.
  let output: String
  /// The number of shard files.
  let shards: Int
  /// Whether a recording that cannot be used is an error.
  let isStrict: Bool
  /// Whether what the folder holds of other sound, or of what its files held earlier, is replaced.
  var replaces = false
  /// How sound becomes samples.
  let audio: AudioSettings
  /// What features are made of samples.
  let features: FeatureSettings

  /// Decodes the sound and writes the shards; what is done already is kept. Collective: the processes share the work,
  /// and the bytes do not depend on their number.
  ///
  /// - Throws: `.usage`, `.missingInput` or `.badData` on all ranks for data or settings that make no pack, `.badData` for
  ///   what is left out where that is an error, `.inputOutput` when the folder cannot be written.
  func run<C: Communicator>(_ communicator: C, threads: Int, console: Console) throws {
    let extractor = try communicator.agreeing { try FeatureExtractor(audio, features) }
    let corpus = try communicator.agreeing {
      try source.open()
    }
    try communicator.checkSameData(corpus.fingerprint, source.path)
    let packer = try communicator.agreeing { try SoundPacker(corpus, extractor, output: output) }
    let lock = try communicator.onRankZero {
      let lock = try packer.claim {
        console.info("Another process is packing into \(output): waiting for it")
      }
      if replaces { try packer.clearOfOthers() }
      return lock
    }
    defer { lock?.release() }
    // Looks at every file of the sound, so that one rank does it for all.
    let isWhole = try communicator.onRankZero { packer.isWhole(files: shards) } ?? false
    if try communicator.allGather(isWhole ? 1 : 0)[0] == 1 {
      return console.info("\(source.path) is packed in \(output) already, and has not changed since")
    }
    console.info(
      "\(corpus.recordings.count) recordings of \(corpus.speakers.count) speakers in \(source.path), read as"
        + " \(corpus.layout.rawValue)")
    let start = Console.monotonicSeconds()
    try decode(packer, communicator, threads: threads, console: console)
    let gathered = try communicator.agreeing { try packer.gathered() }
    try report(gathered, console)
    let writer = try communicator.agreeing { try gathered.packer(files: shards) }
    try communicator.write(writer, threads: threads, console: console)
    _ = try communicator.onRankZero {
      try writer.finish()
      try packer.finish(gathered)
    }
    let hours = gathered.seconds / 3_600
    let rate = hours / max(1e-9, Console.monotonicSeconds() - start)
    console.info(
      "Packed \(writer.utterances) recordings of \(gathered.contents.speakers.count) speakers,"
        + " \(String(format: "%.2f", hours)) h of sound, into \(writer.files) shards in \(output),"
        + " \(String(format: "%.3f", rate)) h a second.")
  }

  /// Whether the pack is there, whole, and of the sound as it is now.
  func isDone() throws -> Bool {
    guard FileSystem.exists(output) else { return false }
    return try SoundPacker(source.open(), FeatureExtractor(audio, features), output: output).isWhole(
      files: shards)
  }

  private func decode<C: Communicator>(
    _ packer: SoundPacker, _ communicator: C, threads: Int, console: Console
  ) throws {
    // Turn by turn, so that a part of the corpus with long recordings is everybody's.
    let mine = Array(stride(from: communicator.rank, to: packer.pieces, by: communicator.size))
    let start = Console.monotonicSeconds()
    try communicator.agreeing {
      let total = mine.reduce(0) { $0 + packer.recordings($1) }
      try console.progress("Decode", unit: "uttr", total: total) { bar in
        try packer.extract(pieces: mine, threads: threads) { done, seconds in
          let elapsed = max(1e-9, Console.monotonicSeconds() - start)
          // Of all processes: each has an equal share.
          let hours = seconds / 3_600 * Double(communicator.size)
          bar.reach(done, ["hours": .fixed(hours, digits: 2), "hours/s": .fixed(hours / elapsed, digits: 3)])
        }
      }
    }
  }

  private func report(_ gathered: SoundPacker.Gathered, _ console: Console) throws {
    if let first = gathered.refused.first {
      let count = gathered.refused.count
      let what = "\(count) \(count == 1 ? "recording is" : "recordings are") left out"
      guard !isStrict else {
        throw Failure(
          .badData,
          "--strict: \(what); \(count == 1 ? "it is" : "the first is") \(first.what.quoted): \(first.reason)")
      }
      console.warning(
        "\(what); \(output)/\(SoundPacker.refusedFile) says why; the first is \(first.what.quoted): \(first.reason)"
      )
    }
    if gathered.upsampled > 0 {
      let all = gathered.contents.utterances.count + (gathered.contents.tests?.count ?? 0)
      let mixture =
        gathered.upsampled < all && audio.bandwidth == nil
        ? ": where they are few speakers' the bandwidth tells who it is; audio.bandwidth takes it from the others too"
        : ""
      console.warning(
        "\(gathered.upsampled) of \(all) recordings have fewer than \(audio.rate) samples a second, and nothing above half"
          + " of theirs\(mixture)")
    }
  }
}

/// A pack of sound that a job was given as it is, kept in the user's cache folder.
package struct SoundCache {
  private let packing: SoundPacking

  /// nil for data that holds features. Collective.
  ///
  /// - Parameter hearing: by whose settings sound becomes features; asked for if it is sound.
  /// - Throws: `.usage` or `.missingInput` on all ranks for data that is none, or that can be read in two ways.
  package init?<C: Communicator>(
    _ data: String, _ configuration: Configuration, _ communicator: C,
    hearing: (() throws -> Configuration)? = nil
  ) throws {
    let source = CorpusSource(data, layout: configuration.data.layout)
    let packing: SoundPacking? = try communicator.agreeing {
      guard try ![.homework, .packed].contains(source.recognised()) else { return nil }
      let configuration = try hearing?() ?? configuration
      return SoundPacking(
        source: source, output: try Self.directory(source, configuration), shards: configuration.train.shards,
        isStrict: false, replaces: true, audio: configuration.audio, features: configuration.features)
    }
    guard let packing else { return nil }
    self.packing = packing
  }

  /// A pack of noise, to be laid under features: short recordings are as good as long ones.
  package init?<C: Communicator>(noise folder: String, _ configuration: Configuration, _ communicator: C)
    throws
  {
    var configuration = configuration
    configuration.audio.minSeconds = 0.1
    configuration.data.layout = nil
    configuration.train.shards = 1
    try self.init(folder, configuration, communicator)
  }

  /// What it takes to augment the sound itself.
  func material(_ settings: AugmentationSettings, packed corpus: Corpus) throws -> SoundCrops.Material {
    try SoundCrops.Material(
      packing.source.open(), packed: corpus, extractor: FeatureExtractor(packing.audio, packing.features),
      recordings: SoundAugmenter.Recordings(of: settings))
  }

  /// Whether every host has the pack. Collective.
  func isThere<C: Communicator>(_ communicator: C) throws -> Bool {
    let isThere = try communicator.agreeing { try packing.isDone() }
    return try !communicator.allGather(isThere ? 1 : 0).contains(0)
  }

  /// Makes sure that every host has the pack; one process of each host makes it with all its cores. Collective.
  ///
  /// - Returns: its folder.
  package func provide<C: Communicator>(_ communicator: C, console: Console) throws -> String {
    let leads = try communicator.isFirstOfHost()
    try communicator.agreeing {
      guard leads, try !packing.isDone() else { return }
      try FileWriting.createFolder((packing.output as NSString).deletingLastPathComponent)
      console.info(
        "\(packing.source.path) is sound: its features are packed into \(packing.output), once for these settings"
      )
      try packing.run(
        SoloGroup(), threads: ProcessInfo.processInfo.activeProcessorCount, console: console)
    }
    return packing.output
  }

  /// Where it is kept: by the folder's name, where it lies, and what is made of it.
  private static func directory(_ source: CorpusSource, _ configuration: Configuration) throws -> String {
    guard let resolved = realpath(source.path, nil) else {
      throw Failure.system(errno, source.path, "reading failed")
    }
    defer { free(resolved) }
    let path = String(cString: resolved)
    let audio = configuration.audio
    let limits = "\(audio.minSeconds) \(audio.maxSeconds ?? -1) \(audio.truncated.rawValue)"
    let recipe = FeatureRecipe(audio, configuration.features)
    let text = [
      path, source.layout?.rawValue ?? "", recipe.text, limits, String(configuration.train.shards),
    ].joined(separator: "\n")
    let name = (path as NSString).lastPathComponent
    return "\(CacheFolder.path)/packs/\(name)-\(FeatureRecipe.hash(of: text))"
  }
}
