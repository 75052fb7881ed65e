import Collectives
import Diagnostics
import Foundation
import TensorFiles
import Verification

/// The options of `verify`, and the work: whether a recording is of a speaker, or two are of one.
public struct VerifyJob: Job {
  /// The weights.
  public var voices: VoiceOptions
  /// Who it should be: a store and one of its speakers; nil to compare two recordings.
  public var claimed: (store: String, speaker: String)?
  /// One recording, or two without a claim.
  public var sounds: [String]
  /// When a score is enough.
  public var decision = VoiceDecision()
  /// Whether the result is one JSON object.
  public var json = false

  /// Compares `sounds`.
  public init(voices: VoiceOptions, sounds: [String]) { (self.voices, self.sounds) = (voices, sounds) }

  /// Tells the score, and with a calibration the decision.
  public func run<C: Communicator>(_ communicator: C, console: Console) throws {
    let decision = try communicator.agreeing {
      let wanted = claimed == nil ? 2 : 1
      guard sounds.count == wanted else {
        throw Failure(
          .usage,
          "verify: expected two sound files, or one with --store and --speaker, found \(sounds.count)"
            + (claimed == nil ? "" : " with them"))
      }
      if let claimed { _ = try place(of: claimed.speaker, in: SpeakerStore(reading: claimed.store)) }
      return try self.decision.resolved()
    }
    let heard = try voices.embed(sounds, communicator, console)
    _ = try communicator.onRankZero {
      let score: Double?
      if let claimed {
        let store = try heard.store(claimed.store)
        let place = try place(of: claimed.speaker, in: store)
        score = store.scores(heard[0])?[place]
      } else {
        score = SpeakerStore.score(heard[0], heard[1])
      }
      guard let score else { throw Failure(.badData, "\(sounds[0]): an embedding has no direction") }
      try tell(score, decision, console)
    }
  }

  private func tell(
    _ score: Double, _ decision: (ratio: Calibration, threshold: Double)?, _ console: Console
  ) throws {
    var object = JSONObject([("score", .number(score))])
    var text = String(format: "score %.6f", score)
    if let decision {
      let ratio = decision.ratio(score)
      let isAccepted = ratio > decision.threshold
      object["llr"] = .number(ratio)
      object["threshold"] = .number(decision.threshold)
      object["accepted"] = .bool(isAccepted)
      text += String(format: ", log-likelihood ratio %.3f, threshold %.3f: ", ratio, decision.threshold)
      text += isAccepted ? "one person" : "two persons"
    } else {
      text += "; a decision needs a threshold, which comes from trials of your own: see 'calibrate'"
    }
    try console.result(json ? JSON.object(object).serialized() : text)
  }

  private func place(of speaker: String, in store: SpeakerStore) throws -> Int {
    if let place = store.speakers.firstIndex(of: speaker) { return place }
    let nearest = Nearest.match(speaker, among: store.speakers).map { "; did you mean \($0.quoted)?" } ?? ""
    throw Failure(
      .badData,
      "\(claimed?.store ?? ""): \(speaker.quoted) is not one of its \(store.speakers.count) speakers\(nearest)"
    )
  }
}
