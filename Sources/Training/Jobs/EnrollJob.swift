import Collectives
import Diagnostics
import Foundation
import TensorFiles
import Verification

/// The options of `enroll`, and the work: a speaker's recordings into a store.
public struct EnrollJob: Job {
  /// The weights.
  public var voices: VoiceOptions
  /// The store, which is made if it is not there.
  public var store: String
  /// What the speaker is called.
  public var speaker: String
  /// Recordings of the speaker.
  public var sounds: [String]

  /// Enrols `speaker` with `sounds`.
  public init(voices: VoiceOptions, store: String, speaker: String, sounds: [String]) {
    (self.voices, self.store, self.speaker, self.sounds) = (voices, store, speaker, sounds)
  }

  /// Adds the recordings, all of them or, where one cannot be used, none.
  public func run<C: Communicator>(_ communicator: C, console: Console) throws {
    _ = try communicator.onRankZero {
      let (files, run) = voices.source.files
      try OutputFiles([("--store", store)]).check(reading: files + sounds.map { ("enroll", $0) }, run: run)
    }
    let heard = try voices.embed(sounds, communicator, console)
    _ = try communicator.onRankZero {
      // Two that enrol at a time would lose one's speaker.
      let lock = try FileLock((store as NSString).deletingLastPathComponent.ifEmpty("."), patience: .infinity)
      defer { lock?.release() }
      var store =
        FileSystem.exists(store)
        ? try heard.store(store) : SpeakerStore(network: heard.network, width: heard.width)
      for index in sounds.indices { try store.enroll(speaker, heard[index]) }
      try FileWriting.writeAtomically(store.serialized, to: self.store)
      let count = store.recordings[store.speakers.firstIndex(of: speaker)!]
      console.info(
        "\(speaker.quoted) is enrolled with \(count) \(count == 1 ? "recording" : "recordings");"
          + " \(store.speakers.count) \(store.speakers.count == 1 ? "speaker is" : "speakers are") in \(self.store)"
      )
    }
  }
}

extension String {
  fileprivate func ifEmpty(_ other: String) -> String { isEmpty ? other : self }
}
