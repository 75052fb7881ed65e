import Diagnostics

/// SpeechBrain's CSV.
struct SpeechBrainTable {
  static func isHeader(_ line: String) -> Bool { false }
}
