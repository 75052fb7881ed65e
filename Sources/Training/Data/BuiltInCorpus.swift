import Collectives
import Diagnostics
import Foundation
import SpeechData
import TensorFiles

/// Where the program keeps what it can make again: `$XDG_CACHE_HOME/speakerid-dist`, or `~/.cache/speakerid-dist`.
enum CacheFolder {
  static var path: String {
    let environment = ProcessInfo.processInfo.environment
    let cache =
      environment["XDG_CACHE_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? "\(NSHomeDirectory())/.cache"
    return "\(cache)/speakerid-dist"
  }
}

/// The corpus of the bare command: synthesized on first use, then kept in the user's cache folder.
package enum BuiltInCorpus {
  static let speakers = 60, utterances = 2_400
  static let seed: UInt64 = 87

  /// Where it is kept.
  package static var directory: String {
    "\(CacheFolder.path)/corpus-\(speakers)x\(utterances)-seed\(seed)"
  }

  /// Whether every host has the corpus. Collective.
  static func isThere<C: Communicator>(_ communicator: C) throws -> Bool {
    let isWritten = try communicator.agreeing { try synthesizer().isWritten(directory) }
    return try !communicator.allGather(isWritten ? 1 : 0).contains(0)
  }

  /// Makes sure that every host has the corpus; one process of each host writes it with all its cores. Collective.
  static func provide<C: Communicator>(_ communicator: C, console: Console) throws -> String {
    let leads = try communicator.isFirstOfHost()
    try communicator.agreeing {
      guard leads else { return }
      let synthesizer = try synthesizer()
      guard try !synthesizer.isWritten(directory) else { return }
      try FileWriting.createFolder((directory as NSString).deletingLastPathComponent)
      // Hosts may share the folder, and runs may begin side by side: one of them writes, and the others find it done.
      guard let lock = try synthesizer.prepare(directory) else { return }
      defer { lock.release() }
      console.info("Synthesizing the built-in corpus into \(directory), once")
      try synthesizer.write(
        synthesizer.files, to: directory, threads: ProcessInfo.processInfo.activeProcessorCount,
        console: console)
      try synthesizer.finish(directory)
    }
    return directory
  }

  private static func synthesizer() throws -> CorpusSynthesizer {
    try CorpusSynthesizer(speakers: speakers, utterances: utterances, seed: seed)
  }
}

extension CorpusSynthesizer {
  /// Writes some of the corpus's files, with a progress line.
  func write(_ files: Range<Int>, to directory: String, threads: Int, console: Console) throws {
    try console.progress("Synthesize", unit: form == .features ? "uttr" : "file", total: files.count) { bar in
      try write(files: files, to: directory, threads: threads) { done, _ in bar.reach(done) }
    }
  }
}
