/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): random choices that are the same in every run of the tests.
package struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}

extension [UInt8] {
  /// The bytes after one to four random changes: bits, bytes, extreme integers, removals, repeats.
  package func mutated(using random: inout SeededGenerator) -> [UInt8] {
    var bytes = self
    for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
      let position = bytes.indices.randomElement(using: &random)!
      let end = Swift.min(bytes.count, position + Int.random(in: 1...8, using: &random))
      switch Int.random(in: 0..<6, using: &random) {
      case 0: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 1: bytes[position] = UInt8.random(in: 0...255, using: &random)
      case 2: for index in position..<end { bytes[index] = 0xFF }
      case 3: for index in position..<end { bytes[index] = 0 }
      case 4: bytes.removeSubrange(position..<end)
      default: bytes.insert(contentsOf: bytes[position..<end], at: position)
      }
    }
    return bytes
  }
}
