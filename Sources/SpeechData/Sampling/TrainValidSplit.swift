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
