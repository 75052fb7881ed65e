/// Makes the audio of one utterance: script, larynx, tract, recording.
package struct UtteranceRenderer: Sendable {
  package let voice: SpeakerVoice
  package let key: SynthesisKey

  /// - Parameters:
  ///   - voice: the speaker's.
  ///   - key: the corpus's seed, the speaker's number and the utterance's.
  package init(voice: SpeakerVoice, key: SynthesisKey) {
    self.voice = voice
    self.key = key
  }

  /// The recorded audio of an utterance of so many samples, at 16 kHz, full scale ±1.
  package func audio(samples: Int) -> [Float] {
    var audio = speech(UtteranceScript(key: key, voice: voice, samples: samples))
    Recording(key: key).record(&audio, key: key)
    return audio
  }

  /// A script as it sounds at the lips.
  package func speech(_ script: UtteranceScript) -> [Float] {
    let postures = Articulation(script, voice: voice).postures
    let source = GlottalSource(voice: voice, key: key).render(postures)
    var speech = VocalTract(voice: voice, key: key).speech(source, postures)
    speech.removeLast(speech.count - script.samples)
    return speech
  }
}
