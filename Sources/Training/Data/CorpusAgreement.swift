import Collectives
import Diagnostics
import SpeechData

extension Communicator {
  /// Checks that every rank has opened the same data, so that a stale copy on one host is noticed. Collective.
  ///
  /// - Parameter fingerprint: `Corpus.fingerprint`, or `testFingerprint`.
  /// - Throws: `badData` on all ranks, naming those whose data is not rank 0's.
  func checkSameData(_ fingerprint: UInt64, _ directory: String) throws {
    let all = try allGather(fingerprint)
    let odd = all.indices.filter { all[$0] != all[0] }
    guard !odd.isEmpty else { return }
    let (named, first) = (try places(of: odd), try places(of: [0]))
    throw Failure(
      .badData, "\(directory): \(named) found other utterances there than \(first): is it a stale copy?")
  }
}
