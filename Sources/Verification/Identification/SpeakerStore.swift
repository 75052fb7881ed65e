import Diagnostics
import TensorFiles

/// Enrolled speakers: of each the sum of the unit embeddings of their recordings, whose direction is compared.
///
/// Its file is a safetensors file: `sums` F64 [N, D] and `recordings` I64 [N]; in the metadata `speakers`, a JSON list,
/// and `network`, which network the embeddings are of.
public struct SpeakerStore: Equatable, Sendable {
  /// Which network the embeddings are of.
  public let network: String
  /// Values of an embedding.
  public let width: Int
  /// The speakers in the order of their enrolment.
  public private(set) var speakers: [String] = []
  /// Recordings that each was enrolled with.
  public private(set) var recordings: [Int] = []
  /// [speakers, width]
  private var sums: [Double] = []

  /// Nobody yet.
  public init(network: String, width: Int) {
    self.network = network
    self.width = width
  }

  /// Enrols a speaker with one more recording, or adds it to those that the speaker has.
  ///
  /// - Throws: `badData` for an embedding that is zero or holds what is no finite number.
  public mutating func enroll(_ speaker: String, _ embedding: ArraySlice<Float>) throws(Failure) {
    precondition(embedding.count == width, "an embedding of the store's width")
    guard let unit = Self.unit(embedding.map(Double.init)) else {
      throw Failure(.badData, "a recording of \(speaker.quoted) has an embedding without a direction")
    }
    let row: Int
    if let place = speakers.firstIndex(of: speaker) {
      row = place
    } else {
      row = speakers.count
      speakers.append(speaker)
      recordings.append(0)
      sums += [Double](repeating: 0, count: width)
    }
    recordings[row] += 1
    for column in 0..<width { sums[row * width + column] += unit[column] }
  }

  /// How alike an embedding is to each speaker: the cosine with the mean of their unit embeddings.
  ///
  /// - Returns: a score for each of ``speakers``; nil for an embedding without a direction.
  public func scores(_ embedding: ArraySlice<Float>) -> [Double]? {
    precondition(embedding.count == width, "an embedding of the store's width")
    guard let unit = Self.unit(embedding.map(Double.init)) else { return nil }
    return speakers.indices.map { row in
      guard let mean = Self.unit(Array(sums[row * width..<(row + 1) * width])) else { return 0 }
      return Self.cosine(unit, mean)
    }
  }

  /// How alike two embeddings are.
  ///
  /// - Returns: nil where one has no direction.
  public static func score(_ a: ArraySlice<Float>, _ b: ArraySlice<Float>) -> Double? {
    guard let a = unit(a.map(Double.init)), let b = unit(b.map(Double.init)) else { return nil }
    return cosine(a, b)
  }

  private static func unit(_ vector: [Double]) -> [Double]? {
    let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
    guard length > 0, length.isFinite else { return nil }
    return vector.map { $0 / length }
  }

  private static func cosine(_ a: [Double], _ b: [Double]) -> Double {
    min(1, max(-1, zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }))
  }

  // MARK: Its file

  /// The bytes of its file.
  public var serialized: [UInt8] {
    var tensors = NamedTensors([
      ("sums", Tensor(float64: sums, shape: [speakers.count, width])),
      ("recordings", Tensor(int64: recordings, shape: [speakers.count])),
    ])
    tensors.metadata = [
      "network": network, "speakers": JSON.array(speakers.map { .string($0) }).serialized(),
    ]
    return Safetensors.serialize(tensors)
  }

  /// Reads a file.
  ///
  /// - Throws: `missingInput`, `inputOutput`; `badData` for what is no store.
  public init(reading path: String) throws(Failure) {
    func broken(_ what: String) -> Failure {
      Failure(.badData, "\(path): is no store of speakers, as 'enroll' writes it: \(what)")
    }
    let file = try Safetensors.open(path: path)
    guard let network = file.metadata["network"], let text = file.metadata["speakers"] else {
      throw broken("its metadata has no network and speakers")
    }
    let list = try JSON.parse(Array(text.utf8), name: "\(path): speakers").array ?? []
    let speakers = list.compactMap(\.string)
    guard speakers.count == list.count, Set(speakers).count == speakers.count else {
      throw broken("speakers is no list of different texts")
    }
    guard let shape = file.description(of: "sums")?.shape, shape.count == 2, shape[0] == speakers.count,
      shape[1] > 0,
      file.description(of: "sums")?.elementType == .float64,
      file.description(of: "recordings")?.shape == [shape[0]]
    else { throw broken("expected sums F64 [speakers, width] and recordings I64 [speakers]") }
    let recordings = try file.tensor("recordings").int64Values(named: "recordings", in: path)
    let sums = try file.tensor("sums").bytes.withUnsafeBytes { bytes in
      (0..<shape[0] * shape[1]).map { bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self) }
    }
    guard sums.allSatisfy(\.isFinite), recordings.allSatisfy({ $0 > 0 && $0 < 1 << 40 }) else {
      throw broken("it holds what is no finite number")
    }
    self.init(network: network, width: shape[1])
    (self.speakers, self.recordings, self.sums) = (speakers, recordings.map { Int($0) }, sums)
  }
}
