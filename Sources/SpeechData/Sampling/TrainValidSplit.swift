/// The notebook's 90/10 split of a dataset, index for index.
///
/// It is what `torch.manual_seed(seed)` followed by `random_split(dataset, [trainlen, n - trainlen])` gives
/// with `trainlen = int(0.9 * n)`: `random_split` cuts `torch.randperm(n)` in two. It is not stratified by
/// speaker.
public struct TrainValidSplit: Sendable, Equatable {
  /// Dataset indices of the training part, in the notebook's order.
  public let training: [Int]
  /// Dataset indices of the validation part, in the notebook's order.
  public let validation: [Int]

  /// - Parameters:
  ///   - count: utterances in the dataset, below 2³² / 20 (above, PyTorch draws 64-bit numbers).
  ///   - seed: the notebook's `set_seed(87)`; its lower 32 bits count, as in PyTorch's CPU generator.
  public init(count: Int, seed: UInt64) {
    let permutation = Self.randperm(count, seed: seed)
    let trainingCount = Int(0.9 * Double(count))
    training = Array(permutation[..<trainingCount])
    validation = Array(permutation[trainingCount...])
  }

  /// The split that a corpus itself says, or the notebook's where it says none.
  public init(of corpus: Corpus, seed: UInt64) {
    guard !corpus.validation.isEmpty else {
      self.init(count: corpus.utterances.count, seed: seed)
      return
    }
    let isValidated = Set(corpus.validation)
    self.init(
      training: corpus.utterances.indices.filter { !isValidated.contains($0) }, validation: corpus.validation)
  }

  /// The same split of a part of the dataset: the others are left out, the order stays.
  public func filter(_ isTaken: (Int) -> Bool) -> TrainValidSplit {
    TrainValidSplit(training: training.filter(isTaken), validation: validation.filter(isTaken))
  }

  private init(training: [Int], validation: [Int]) {
    self.training = training
    self.validation = validation
  }

  /// `torch.randperm(n)` right after `torch.manual_seed(seed)`: a forward Fisher-Yates shuffle by remainders.
  private static func randperm(_ n: Int, seed: UInt64) -> [Int] {
    precondition(n < Int(UInt32.max) / 20, "torch.randperm draws 64-bit numbers from here on")
    var generator = MersenneTwister(seed: UInt32(truncatingIfNeeded: seed))
    var permutation = Array(0..<n)
    for i in 0..<max(0, n - 1) {
      let z = Int(generator.next()) % (n - i)
      permutation.swapAt(i, i + z)
    }
    return permutation
  }
}

/// The 32-bit Mersenne Twister MT19937, seeded by `init_genrand`: the generator behind `torch.manual_seed`.
///
/// M. Matsumoto and T. Nishimura, "Mersenne Twister: a 623-dimensionally equidistributed uniform
/// pseudo-random number generator", ACM TOMACS 8 (1998). Used only to repeat the notebook's split; all
/// other randomness of the project comes from `RandomStream`.
struct MersenneTwister {
  private static let size = 624
  private static let shift = 397
  private var state: [UInt32]
  private var position = MersenneTwister.size

  init(seed: UInt32) {
    state = [UInt32](repeating: 0, count: Self.size)
    state[0] = seed
    for i in 1..<Self.size {
      let previous = state[i - 1]
      state[i] = 1_812_433_253 &* (previous ^ (previous >> 30)) &+ UInt32(i)
    }
  }

  /// The next 32 random bits.
  mutating func next() -> UInt32 {
    if position == Self.size { regenerate() }
    var y = state[position]
    position += 1
    y ^= y >> 11
    y ^= (y << 7) & 0x9D2C_5680
    y ^= (y << 15) & 0xEFC6_0000
    y ^= y >> 18
    return y
  }

  private mutating func regenerate() {
    for i in 0..<Self.size {
      let y = (state[i] & 0x8000_0000) | (state[(i + 1) % Self.size] & 0x7FFF_FFFF)
      let twist: UInt32 = y & 1 == 0 ? 0 : 0x9908_B0DF
      state[i] = state[(i + Self.shift) % Self.size] ^ (y >> 1) ^ twist
    }
    position = 0
  }
}
