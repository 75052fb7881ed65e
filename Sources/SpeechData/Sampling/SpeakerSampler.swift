import TensorCore

/// As ``ShardSampler``, but all speakers alike, and several utterances of each in a row.
///
/// The slots of a slice are taken in groups of `perSpeaker`, numbered on from step to step. Group `g` is that of place
/// `g mod k` in the permutation of the shard's `k` speakers that belongs to epoch `g / k`; so each speaker comes once an
/// epoch, however much there is of him. His utterances follow the permutations of his own: all of them before one comes
/// again. Permutations are keyed by (seed, shard, epoch, speaker), so any step can be asked for at any time.
public struct SpeakerSampler: Sendable {
  private let perSpeaker: Int
  private let sliceSize: Int
  private let seed: UInt64
  private let shard: Int
  /// The labels of the speakers of whom the shard has something, ascending, and their utterances, which begin at
  /// `starts`.
  private let speakers: [Int]
  private let starts: [Int]
  private let utterances: [Int]
  /// The permutation of the speakers in the epochs whose numbers are even, and odd.
  private var epochs: [Int?] = [nil, nil]
  private var orders: [[Int]]
  private var scratch: [Int]

  /// - Parameters:
  ///   - members: the shard's training utterances with their speakers' labels, in layout order.
  ///   - perSpeaker: divides `sliceSize`.
  ///   - sliceSize: utterances of the global batch that come from this shard.
  /// - Throws: a usage `Failure` when the shard has no training utterance to draw.
  public init(
    members: [(utterance: Int, label: Int)], perSpeaker: Int, sliceSize: Int, seed: UInt64, shard: Int
  ) throws {
    precondition(perSpeaker > 0 && sliceSize.isMultiple(of: perSpeaker), "a slice is whole groups")
    guard !members.isEmpty else { throw ShardSampler.nothingToDraw(shard) }
    let bySpeaker = Dictionary(grouping: members, by: \.label).sorted { $0.key < $1.key }
    self.perSpeaker = perSpeaker
    self.sliceSize = sliceSize
    self.seed = seed
    self.shard = shard
    speakers = bySpeaker.map(\.key)
    utterances = bySpeaker.flatMap { $0.value.map(\.utterance) }
    var starts = [0]
    for (_, own) in bySpeaker { starts.append(starts.last! + own.count) }
    self.starts = starts
    orders = Array(repeating: Array(speakers.indices), count: 2)
    scratch = Array(repeating: 0, count: bySpeaker.map(\.value.count).max() ?? 0)
  }

  /// The utterance (an index into `Corpus.utterances`) of slot `slot` in step `step`, both from 0.
  public mutating func utterance(step: Int, slot: Int) -> Int {
    precondition(step >= 0 && (0..<sliceSize).contains(slot), "no such draw")
    let group = step * (sliceSize / perSpeaker) + slot / perSpeaker
    let (epoch, position) = group.quotientAndRemainder(dividingBy: speakers.count)
    let way = epoch & 1
    if epochs[way] != epoch { reshuffle(way, epoch: epoch) }
    let speaker = orders[way][position]
    let own = starts[speaker]..<starts[speaker + 1]
    let (round, place) = (epoch * perSpeaker + slot % perSpeaker).quotientAndRemainder(dividingBy: own.count)
    // From 1 on: 0 is the order of the speakers.
    let stream = RandomStream(
      seed: seed, purpose: .order, step: round, shard: shard, sample: 1 + speakers[speaker])
    for i in 0..<own.count { scratch[i] = own.lowerBound + i }
    for i in Swift.stride(from: own.count - 1, to: 0, by: -1) {
      scratch.swapAt(i, stream.integer(below: i + 1, at: i))
    }
    return utterances[scratch[place]]
  }

  private mutating func reshuffle(_ way: Int, epoch: Int) {
    for i in speakers.indices { orders[way][i] = i }
    orders[way].shuffle(RandomStream(seed: seed, purpose: .order, step: epoch, shard: shard))
    epochs[way] = epoch
  }
}
