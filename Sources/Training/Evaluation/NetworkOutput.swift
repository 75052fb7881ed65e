import SpeakerNet
import TensorCore

/// What a network is asked of a recording.
package enum NetworkOutput: Sendable {
  /// One value a speaker.
  case logits
  /// The vector that stands for the voice.
  case embedding

  /// Values of a row.
  func width(_ model: SpeakerModel) -> Int { self == .logits ? model.speakers : model.embeddingWidth }

  /// What the progress line calls it.
  var verb: String { self == .logits ? "Predict" : "Embed" }

  /// The rows of a slice, [B, width].
  func callAsFunction(_ model: SpeakerModel, _ mels_NM: Matrix, _ pass: inout Pass) -> Matrix {
    self == .logits ? model.logits(mels_NM, &pass) : model.embedding(mels_NM, &pass)
  }
}
