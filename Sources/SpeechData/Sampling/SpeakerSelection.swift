import Diagnostics

/// Which speakers of a corpus are trained on, and which are held out, for trials on voices that the network never heard.
///
/// Who is held out depends on the names alone: those whose hashes are lowest. So a larger number holds out the same and
/// more, and other data of the same speakers the same ones.
public struct SpeakerSelection: Sendable, Equatable {
  /// The names of those that are trained on, by label: in the corpus's order.
  public let names: [String]
  /// By the corpus's label, the label among ``names``; `nil` for who is held out.
  public let labels: [Int?]

  /// - Parameters:
  ///   - speakers: the corpus's, by label.
  ///   - count: how many are held out.
  /// - Throws: a usage `Failure` when nobody would be left.
  public init(of speakers: [String], holdingOut count: Int) throws(Failure) {
    guard count == 0 || count < speakers.count else {
      throw Failure(
        .usage,
        "data.holdout_speakers: \(count) are to be held out of \(speakers.count) speakers, and nobody is left; at most"
          + " \(max(0, speakers.count - 1)) would do")
    }
    let hashes = speakers.map(Self.hash)
    let order = speakers.indices.sorted {
      (hashes[$0], $0) < (hashes[$1], $1)
    }
    let heldOut = Set(order.prefix(count))
    names = speakers.indices.filter { !heldOut.contains($0) }.map { speakers[$0] }
    var next = 0
    labels = speakers.indices.map { speaker in
      guard !heldOut.contains(speaker) else { return nil }
      defer { next += 1 }
      return next
    }
  }

  /// FNV-1a of the name, its bits then spread as SplitMix64 spreads them.
  private static func hash(_ name: String) -> UInt64 {
    var fingerprint = Fingerprint()
    fingerprint.combine(name)
    var hash = fingerprint.value
    hash = (hash ^ hash >> 30) &* 0xBF58_476D_1CE4_E5B9
    hash = (hash ^ hash >> 27) &* 0x94D0_49BB_1331_11EB
    return hash ^ hash >> 31
  }
}
