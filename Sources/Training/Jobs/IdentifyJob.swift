import Collectives
import Diagnostics
import Foundation
import TensorFiles
import Verification

/// The options of `identify`, and the work: which of the enrolled speakers recordings are of.
public struct IdentifyJob: Job {
  /// The weights.
  public var voices: VoiceOptions
  /// The enrolled speakers.
  public var store: String
  /// The recordings.
  public var sounds: [String]
  /// How many speakers are told of each.
  public var top = 5
  /// Whether the likeliest is one of them at all.
  public var decision = VoiceDecision()
  /// Whether the result is one JSON object.
  public var json = false

  /// Compares `sounds` with the speakers of `store`.
  public init(voices: VoiceOptions, store: String, sounds: [String]) {
    (self.voices, self.store, self.sounds) = (voices, store, sounds)
  }

  /// Tells the likeliest speakers, and with a calibration whether it is anybody.
  public func run<C: Communicator>(_ communicator: C, console: Console) throws {
    let decision = try communicator.agreeing {
      guard top > 0 else { throw Failure(.usage, "--top: expected 1 or more, found \(top)") }
      _ = try SpeakerStore(reading: store)
      return try self.decision.resolved()
    }
    let heard = try voices.embed(sounds, communicator, console)
    _ = try communicator.onRankZero {
      let store = try heard.store(self.store)
      var files: [JSON] = []
      var text = ""
      for (index, path) in sounds.enumerated() {
        guard let scores = store.scores(heard[index]) else {
          throw Failure(.badData, "\(path): its embedding has no direction")
        }
        let order = scores.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }.prefix(top)
        let accepted = decision.map { decision in
          order.first.flatMap { decision.ratio(scores[$0]) > decision.threshold ? store.speakers[$0] : nil }
        }
        text += String(format: "%@ (%.1f s)", path.printable, heard.seconds[index])
        if let accepted { text += ": \(accepted?.printable ?? "nobody who is enrolled")" }
        text += "\n"
        var speakers: [JSON] = []
        for place in order {
          text += String(format: "  %7.4f  ", scores[place]) + store.speakers[place].printable + "\n"
          var speaker = JSONObject([
            ("name", .string(store.speakers[place])), ("score", .number(scores[place])),
          ])
          if let decision { speaker["llr"] = .number(decision.ratio(scores[place])) }
          speakers.append(.object(speaker))
        }
        var file = JSONObject([("path", .string(path)), ("seconds", .number(heard.seconds[index]))])
        if let accepted { file["speaker"] = accepted.map { .string($0) } ?? .null }
        file["speakers"] = .array(speakers)
        files.append(.object(file))
      }
      let object: JSON = ["files": .array(files)]
      try console.result(json ? object.serialized() : String(text.dropLast()))
    }
  }
}
