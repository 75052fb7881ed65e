import Foundation

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
