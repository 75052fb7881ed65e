import Diagnostics
import TensorCore

/// Which training utterance slot `i` of a shard's slice of the batch holds in step `s`.
///
/// The shard's draws are numbered: slot `i` of step `s` is draw `d = s · sliceSize + i`. With `m` training
/// members, draw `d` is position `d mod m` of the permutation of epoch `d / m`, and a permutation is keyed by
/// (seed, shard, epoch). So every epoch takes each member once, and any step can be asked for at any time:
/// there is no state to save. The last permutations are kept, so asking in order costs one shuffle an epoch
/// and allocates nothing after `init`.
public struct ShardSampler: Sendable {
  /// The shard's training utterances (indices into `Corpus.utterances`), in layout order.
  public let members: [Int]
  /// Utterances of the global batch that come from this shard.
  public let sliceSize: Int
  /// The run's seed.
  public let seed: UInt64
  /// The shard's number.
  public let shard: Int

  private struct Permutation {
    var epoch: Int?
    var order: [Int]
  }

  /// Epoch `e` lives in element `e & 1`: a slice that straddles two epochs needs both.
  private var cache: [Permutation]

  /// - Parameters:
  ///   - members: from `Corpus.members(ofShard:of:)`, restricted to the training part.
  ///   - sliceSize: `batch_size / shards`, at least 1.
  /// - Throws: a usage `Failure` when the shard has no training utterance to draw.
  public init(members: [Int], sliceSize: Int, seed: UInt64, shard: Int) throws {
    precondition(sliceSize > 0, "a slice has at least one utterance")
    guard !members.isEmpty else { throw Self.nothingToDraw(shard) }
    self.members = members
    self.sliceSize = sliceSize
    self.seed = seed
    self.shard = shard
    cache = Array(repeating: Permutation(epoch: nil, order: Array(members.indices)), count: 2)
  }

  /// The failure of a shard without members.
  public static func nothingToDraw(_ shard: Int) -> Failure {
    Failure(
      .usage,
      "shard \(shard) holds no training utterance: there are too few for so many shards; lower train.shards")
  }

  /// The training members of every shard in turn: `Corpus.members` restricted to `split.training`.
  ///
  /// - Returns: dataset indices by shard, in layout order.
  /// - Throws: what `Corpus.members(ofShard:of:)` throws.
  public static func trainingMembers(
    of corpus: Corpus, split: TrainValidSplit, shards: Int
  ) throws -> [[Int]] {
    var isTraining = [Bool](repeating: false, count: corpus.utterances.count)
    for index in split.training { isTraining[index] = true }
    return try (0..<shards).map { shard in
      try corpus.members(ofShard: shard, of: shards).filter { isTraining[$0] }
    }
  }

  /// The utterance (an index into `Corpus.utterances`) of slot `slot` in step `step`, both from 0.
  public mutating func utterance(step: Int, slot: Int) -> Int {
    precondition(step >= 0 && (0..<sliceSize).contains(slot), "no such draw")
    let (epoch, position) = (step * sliceSize + slot).quotientAndRemainder(dividingBy: members.count)
    let way = epoch & 1
    if cache[way].epoch != epoch { reshuffle(way, epoch: epoch) }
    return members[cache[way].order[position]]
  }

  private mutating func reshuffle(_ way: Int, epoch: Int) {
    for i in members.indices { cache[way].order[i] = i }
    cache[way].order.shuffle(RandomStream(seed: seed, purpose: .order, step: epoch, shard: shard))
    cache[way].epoch = epoch
  }
}

/// Which utterances a shard holds: consecutive pieces of one fixed pseudo-random order of the dataset.
///
/// The order depends on the number of utterances alone. Shard `v` of `V` is the positions
/// `floor(n·v / V) ..< floor(n·(v+1) / V)` of it, so when V divides N, a shard of V is exactly N / V
/// consecutive shards of N: a corpus packed into N files and the same corpus unpacked give the same shards.
struct ShardLayout: Sendable {
  /// Part of the packed format: another constant would be another format version.
  private static let seed: UInt64 = 0x5348_4152_4453_2E31  // "SHARDS.1"

  /// Dataset index by position.
  let order: [Int]

  init(count: Int) {
    let stream = RandomStream(seed: Self.seed, purpose: .order)
    order = .shuffled(count: count, stream)
  }

  /// The positions of piece `index` when `count` things are cut into `pieces` nearly equal runs.
  static func piece(_ index: Int, of pieces: Int, count: Int) -> Range<Int> {
    count * index / pieces..<count * (index + 1) / pieces
  }

  /// Dataset indices of shard `v`, in layout order.
  func members(ofShard v: Int, of shards: Int) -> ArraySlice<Int> {
    order[Self.piece(v, of: shards, count: order.count)]
  }

  /// Why `shards` cannot be the number of shards of a corpus packed into `files` files, or nil when it can.
  static func objection(toShards shards: Int, files: Int) -> Failure? {
    guard shards < 1 || files % shards != 0 else { return nil }
    let divisors = (1...files).filter { files % $0 == 0 }.map(String.init).joined(separator: ", ")
    return Failure(
      .usage,
      "train.shards is \(shards), but must divide the \(files) files of the packed corpus: "
        + "\(divisors) would work")
  }
}

extension [Int] {
  /// `0 ..< count` in the order of a Fisher-Yates shuffle by `stream`.
  static func shuffled(count: Int, _ stream: RandomStream) -> [Int] {
    var indices = Array(0..<count)
    indices.shuffle(stream)
    return indices
  }

  /// A Fisher-Yates shuffle in place; element `i` of `stream` decides what goes to position `i`.
  mutating func shuffle(_ stream: RandomStream) {
    for i in stride(from: count - 1, to: 0, by: -1) {
      swapAt(i, stream.integer(below: i + 1, at: i))
    }
  }
}
