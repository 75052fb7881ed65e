import Collectives
import Diagnostics
import Foundation
import SpeechData

/// The corpus of the bare command: synthesized on first use, then kept in the user's cache folder.
enum BuiltInCorpus {
  static let speakers = 60, utterances = 2_400
  static let seed: UInt64 = 87

  /// Where it is kept: `$XDG_CACHE_HOME/speakerid-dist`, or `~/.cache/speakerid-dist`.
  static var directory: String {
    let environment = ProcessInfo.processInfo.environment
    let cache =
      environment["XDG_CACHE_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? "\(NSHomeDirectory())/.cache"
    return "\(cache)/speakerid-dist/corpus-\(speakers)x\(utterances)-seed\(seed)"
  }

  /// Makes sure that every host has the corpus; one process of each host writes it with all its cores. Collective.
  static func provide<C: Communicator>(_ group: C, console: Console) throws -> String {
    let hosts = try group.allGather(text: group.hostName)
    let leads = hosts.firstIndex(of: group.hostName) == group.rank
    try group.agreeing {
      guard leads else { return }
      try FileSystem.createFolder((directory as NSString).deletingLastPathComponent)
      let synthesizer = try CorpusSynthesizer(speakers: speakers, utterances: utterances, seed: seed)
      guard try synthesizer.prepare(directory) else { return }
      console.info("Synthesizing the built-in corpus into \(directory), once")
      try write(synthesizer, console: console)
    }
    return directory
  }

  private static func write(_ synthesizer: CorpusSynthesizer, console: Console) throws {
    let threads = ProcessInfo.processInfo.activeProcessorCount
    try Synthesis.write(
      synthesizer, synthesizer.utterances, to: directory, threads: threads, console: console)
    try synthesizer.finish(directory)
  }
}

/// Rendering with a progress line.
enum Synthesis {
  /// Utterances between two looks at the terminal.
  private static let block = 64

  /// Writes some of the corpus's utterances.
  static func write(
    _ synthesizer: CorpusSynthesizer, _ utterances: Range<Int>, to directory: String, threads: Int,
    console: Console
  ) throws {
    let bar = console.progress("Synthesize", unit: "uttr", total: utterances.count)
    for start in stride(from: utterances.lowerBound, to: utterances.upperBound, by: block) {
      let part = start..<min(start + block, utterances.upperBound)
      try synthesizer.write(utterances: part, to: directory, threads: threads) { _, _ in }
      bar.advance(by: part.count)
    }
    bar.finish()
  }
}
