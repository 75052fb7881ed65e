import Collectives
import Diagnostics
import SpeechData

/// The options of `pack`, and the work: the homework's directory into memory-mapped shards.
public struct PackJob: Job {
  /// The homework's directory.
  public var data: String
  /// The folder to pack into.
  public var output: String
  /// The number of shard files; `train.shards` of a run must divide it.
  public var shards = 8
  /// Threads of each process; `nil` for its share of the machine's cores.
  public var threads: Int?

  /// Packs `data` into `output`.
  public init(data: String, output: String) {
    self.data = data
    self.output = output
  }

  /// Packs; each rank writes its own run of the files.
  public func run<C: Communicator>(_ communicator: C, console: Console) throws {
    let threads = try ThreadCount.resolve(threads, communicator)
    let packer = try communicator.agreeing { try Packer(source: data, output: output, files: shards) }
    let lock = try communicator.onRankZero {
      try packer.claim { console.info("Another process is packing into \(output): waiting for it") }
    }
    defer { lock?.release() }
    let start = Console.monotonicSeconds()
    let mine =
      packer.files * communicator.rank / communicator.size..<packer.files * (communicator.rank + 1)
      / communicator.size
    try communicator.agreeing {
      try console.progress("Pack", unit: "uttr", total: packer.utterances) { bar in
        try packer.run(files: mine, threads: threads) { done, total in
          bar.expect(total: total)
          bar.reach(done)
        }
      }
    }
    _ = try communicator.onRankZero { try packer.finish() }
    let rate = Double(packer.utterances) / max(1e-9, Console.monotonicSeconds() - start)
    console.info(
      "Packed \(packer.utterances) utterances into \(packer.files) shards in \(output), "
        + "\(Int(rate.rounded())) uttr/s.")
  }
}
