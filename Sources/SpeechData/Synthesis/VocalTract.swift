/// The tract above the larynx: a cascade of formants, the nose, and the noise of constrictions.
///
/// The cascade branch of Klatt's synthesizer (1980): source → nasal zero and pole → F1 … F8 one after
/// another, so that the formants' levels come out by themselves, as in a real tract. Frication does not pass
/// the cascade; his bank of parallel resonators is one moving band and a flat share here.
package struct VocalTract: Sendable {
  private let formantCount: Int
  private let key: SynthesisKey

  package init(voice: SpeakerVoice, key: SynthesisKey) {
    formantCount = voice.formantCount
    self.key = key
  }

  /// Speech as it leaves the lips.
  ///
  /// - Parameters:
  ///   - source: what `GlottalSource.render` made of the same postures.
  ///   - postures: one for every 5 ms.
  package func speech(_ source: [Float], _ postures: [Posture]) -> [Float] {
    var speech = source
    speech.withUnsafeMutableBufferPointer { resonate($0, postures) }
    addFrication(to: &speech, postures)
    return speech
  }

  private func resonate(_ signal: UnsafeMutableBufferPointer<Float>, _ postures: [Posture]) {
    var nasalPole = Resonator()
    nasalPole.tune(frequency: Phoneme.nasalPole, bandwidth: 100)
    var nasalZero = AntiResonator()
    var formants = [Resonator](repeating: Resonator(), count: formantCount)
    for (index, posture) in postures.enumerated() {
      let block = UnsafeMutableBufferPointer(
        rebasing: signal[index * Posture.samples..<(index + 1) * Posture.samples])
      nasalZero.tune(frequency: posture.nasalZero, bandwidth: 100)
      nasalZero.filter(block)
      nasalPole.filter(block)
      for formant in 0..<formantCount {
        formants[formant].tune(
          frequency: posture.formants[formant], bandwidth: posture.bandwidths[formant])
        formants[formant].filter(block)
      }
    }
  }

  private func addFrication(to speech: inout [Float], _ postures: [Posture]) {
    let noise = key.stream(.frication).whiteNoise(Posture.samples * postures.count)
    var band = Biquad.bandPass(3000, bandwidth: 2000)
    var filtered = [Float](repeating: 0, count: Posture.samples)
    for (index, posture) in postures.enumerated() {
      let (bandStrength, flatStrength) = (posture.strengths[2], posture.strengths[3])
      guard max(bandStrength, flatStrength) > 1e-4 else { continue }
      let start = index * Posture.samples
      band.retune(.bandPass(posture.frication[0], bandwidth: posture.frication[1]))
      for n in 0..<Posture.samples { filtered[n] = noise[start + n] }
      filtered.withUnsafeMutableBufferPointer { band.filter($0) }
      for n in 0..<Posture.samples {
        speech[start + n] += bandStrength * filtered[n] + flatStrength * noise[start + n]
      }
    }
  }
}
