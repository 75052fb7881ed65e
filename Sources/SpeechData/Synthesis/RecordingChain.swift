import Audio
import Foundation

/// What lies between the lips and the file: room, noise, microphone and line, level.
///
/// Drawn anew for every utterance: a long-term spectrum says more about the recording than about the speaker.
package struct RecordingChain: Sendable {
  package var room: Room
  package var noise: BackgroundNoise
  /// The microphone and the line, as filters one after another.
  package var channel: [Biquad]
  /// The highest absolute sample value of the file.
  package var peak: Float

  /// The recording of one utterance.
  package init(key: SynthesisKey) {
    var draws = key.draws(.recording)
    room = Room(&draws)
    noise = BackgroundNoise(&draws)
    channel = [
      .highPass(draws.logUniform(40...350)),
      .highShelf(draws.logUniform(500...2500), decibels: draws.uniform(-10...10)),
      .peak(draws.logUniform(150...1200), q: draws.uniform(0.5...2), decibels: draws.uniform(-9...9)),
      .peak(draws.logUniform(1200...6000), q: draws.uniform(0.5...2), decibels: draws.uniform(-9...9)),
      .lowPass(draws.logUniform(3300...7900)),
    ]
    peak = pow(10, draws.uniform(-24 ... -3) / 20)
  }

  /// Records speech, in place.
  package func record(_ speech: inout [Float], key: SynthesisKey) {
    room.reverberate(&speech)
    let background = noise.render(speech.count, speechPower: speech.meanSquare, key: key)
    for n in speech.indices { speech[n] += background[n] }
    speech.withUnsafeMutableBufferPointer { signal in
      for var filter in channel { filter.filter(signal) }
    }
    let highest = speech.reduce(0) { max($0, abs($1)) }
    let gain = peak / max(highest, .leastNormalMagnitude)
    for n in speech.indices { speech[n] *= gain }
  }
}

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
    RecordingChain(key: key).record(&audio, key: key)
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

/// A room: echoes that die away exponentially, high frequencies first.
///
/// A feedback delay network of eight lines with a Householder matrix (Jot and Chaigne, "Digital delay
/// networks for designing artificial reverberators", AES 90, 1991). Every line loses as many dB a second, so
/// that the whole decays by 60 dB in the reverberation time.
package struct Room: Sendable {
  /// The time in which the echoes fall by 60 dB, in seconds.
  package var reverberationTime: Float
  /// The energy of the echoes relative to that of the direct sound of a steady signal, as an amplitude.
  package var echoes: Float
  /// The walls' share of high frequencies swallowed at each reflection, 0 ..< 1.
  package var absorption: Float
  /// The lengths of the delay lines in samples: the dimensions of the room.
  package var delays: [Int]

  /// A room with eight delays of 8 to 45 ms, no two alike.
  package init(_ draws: inout Draws) {
    reverberationTime = draws.logUniform(0.12...0.7)
    echoes = draws.logUniform(0.08...1.2)
    absorption = draws.uniform(0.1...0.6)
    let size = draws.logUniform(130...300)
    delays = (0..<8).map { line in Int(size * exp2(Float(line) / 5) * draws.uniform(0.95...1.05)) }
  }

  /// Adds the room's echoes to a signal.
  package func reverberate(_ signal: inout [Float]) {
    let gains = SIMD8<Float>(
      delays.map { pow(10, -3 * Float($0) / (reverberationTime * Float(LogMel.sampleRate))) })
    // A steady signal of power 1 is fed to eight lines and leaves them with the power g², g⁴, … of a line's
    // gain g: 8·g² / (1 - g²) in all. Alternating signs keep the ways through the same lines in another
    // order, equally long, from adding up.
    let returned = (gains * gains).sum() / 8
    let level = echoes * ((1 - returned) / (8 * returned)).squareRoot()
    let signs: SIMD8<Float> = [1, -1, 1, -1, 1, -1, 1, -1]
    let lines = delays.reduce(into: [0]) { $0.append($0.last! + $1) }
    var memory = [Float](repeating: 0, count: lines[8])
    var positions = SIMD8<Int32>(repeating: 0)
    let lengths = SIMD8<Int32>(delays.map { Int32($0) })
    var lowPassed = SIMD8<Float>.zero
    memory.withUnsafeMutableBufferPointer { memory in
      for n in signal.indices {
        var echo = SIMD8<Float>.zero
        for line in 0..<8 { echo[line] = memory[lines[line] + Int(positions[line])] }
        lowPassed += (1 - absorption) * (gains * echo - lowPassed)
        let input = signal[n]
        signal[n] += level * (signs * lowPassed).sum()
        // Householder: each line receives itself minus a quarter of all, a lossless mixture.
        let fed = lowPassed - 0.25 * lowPassed.sum() + input
        for line in 0..<8 { memory[lines[line] + Int(positions[line])] = fed[line] }
        positions &+= 1
        positions.replace(with: 0, where: positions .== lengths)
      }
    }
  }
}

/// The sounds of a place: noise with a colour of its own whose strength comes and goes.
package struct BackgroundNoise: Sendable {
  /// The energy of the speech over that of the noise, in dB.
  package var signalToNoise: Float
  /// The corner above which the noise falls by 6 dB an octave, in Hz.
  package var corner: Float
  /// The share of white noise, as an amplitude.
  package var white: Float
  /// A hum or hiss with a pitch: its centre and its width in Hz, and its strength in dB.
  package var humCentre: Float
  package var humBandwidth: Float
  package var humDecibels: Float
  /// How far the strength wanders, in dB, about once a second.
  package var wandering: Float

  /// Noise of 5 to 25 dB below the speech.
  package init(_ draws: inout Draws) {
    signalToNoise = draws.uniform(5...25)
    corner = draws.logUniform(60...3000)
    white = draws.logUniform(0.01...0.5)
    humCentre = draws.logUniform(100...5000)
    humBandwidth = humCentre * draws.logUniform(0.2...1)
    humDecibels = draws.uniform(0...18)
    wandering = draws.uniform(0...6)
  }

  /// The noise alone, as loud as `signalToNoise` asks for beside speech of the given energy.
  ///
  /// - Parameters:
  ///   - count: samples.
  ///   - speechPower: the mean square of the speech.
  ///   - key: the utterance it belongs to.
  package func render(_ count: Int, speechPower: Float, key: SynthesisKey) -> [Float] {
    var noise = key.stream(.background).whiteNoise(count)
    let share = 1 - exp(-2 * .pi * corner / Float(LogMel.sampleRate))
    var low: Float = 0
    for n in noise.indices {
      low += share * (noise[n] - low)
      noise[n] = low + white * share.squareRoot() * noise[n]
    }
    var hum = Biquad.peak(humCentre, q: humCentre / humBandwidth, decibels: humDecibels)
    noise.withUnsafeMutableBufferPointer { hum.filter($0) }
    wander(&noise, key)
    let gain = (speechPower * pow(10, -signalToNoise / 10) / max(noise.meanSquare, .leastNormalMagnitude))
      .squareRoot()
    for n in noise.indices { noise[n] *= gain }
    return noise
  }

  /// Raises and lowers the strength, along straight lines in dB between points half a second apart.
  private func wander(_ noise: inout [Float], _ key: SynthesisKey) {
    let span = LogMel.sampleRate / 2
    var draws = key.draws(.backgroundLevel)
    var left = wandering * draws.normal()
    for start in stride(from: 0, to: noise.count, by: span) {
      let right = wandering * draws.normal()
      // A factor repeated at each sample is a straight line in dB.
      var gain = pow(10, left / 20)
      let factor = pow(10, (right - left) / 20 / Float(span))
      for n in start..<min(start + span, noise.count) {
        noise[n] *= gain
        gain *= factor
      }
      left = right
    }
  }
}

extension [Float] {
  /// The mean of the squares.
  package var meanSquare: Float {
    Float(reduce(0.0) { $0 + Double($1) * Double($1) }) / Float(Swift.max(count, 1))
  }
}
