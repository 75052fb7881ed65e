import SpeechData
import TestSupport

extension TemporaryFolder {
  /// Writes files of a few bytes that are no sound: layouts do not look into them.
  func touch(_ names: [String]) throws {
    for name in names { try write("sound", to: name) }
  }
}

extension SoundCorpus {
  /// `KEY SPEAKER` of each recording.
  var lines: [String] { recordings.map { "\($0.key) \($0.speaker)" } }
  /// `WHAT REASON` of each refusal.
  var refusals: [String] { refused.map { "\($0.what) \($0.reason)" } }
}

/// Whether one of some lines begins with a place and says some words.
func says(_ lines: [String], _ place: String, _ words: String) -> Bool {
  lines.contains { $0.hasPrefix(place + " ") && $0.contains(words) }
}
