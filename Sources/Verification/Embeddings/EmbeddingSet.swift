import Diagnostics
import TensorFiles

/// Embeddings by their keys, as one matrix.
public struct EmbeddingSet: Equatable, Sendable {
  /// What the rows are of, each once.
  public let keys: [String]
  /// Values of a row.
  public let width: Int
  /// [keys, width], row by row.
  public let values: [Float]

  private let rows: [String: Int]

  /// Embeddings in order.
  ///
  /// - Parameter source: what errors call them, usually a file's path.
  /// - Throws: `badData` for a key that comes twice, and for a value that is not a finite number.
  public init(keys: [String], width: Int, values: [Float], source: String) throws(Failure) {
    precondition(values.count == keys.count * width && width > 0, "a row for every key")
    var rows: [String: Int] = [:]
    rows.reserveCapacity(keys.count)
    for (row, key) in keys.enumerated() {
      if let first = rows.updateValue(row, forKey: key) {
        throw Failure(
          .badData, "\(source): the key \(key.quoted) comes twice, as embedding \(first + 1) and \(row + 1)")
      }
    }
    if let bad = values.firstIndex(where: { !$0.isFinite }) {
      throw Failure(
        .badData,
        "\(source): the embedding of \(keys[bad / width].quoted) holds \(values[bad]), which is no finite number"
      )
    }
    self.keys = keys
    self.width = width
    self.values = values
    self.rows = rows
  }

  /// How many.
  public var count: Int { keys.count }

  /// The row of a key.
  public func row(of key: String) -> Int? { rows[key] }

  /// The mean of the rows, [width], summed in double precision.
  public var mean: [Double] {
    var sums = [Double](repeating: 0, count: width)
    for row in 0..<count {
      for column in 0..<width { sums[column] += Double(values[row * width + column]) }
    }
    return sums.map { $0 / Double(count) }
  }
}

// MARK: - Files

extension EmbeddingSet {
  /// The formats, by the endings of their files.
  public enum Format: String, CaseIterable, Sendable {
    case safetensors, npy, ark, scp

    /// - Throws: `usage` for a file of another ending.
    public init(_ path: String, flag: String) throws(Failure) {
      guard let format = Format.allCases.first(where: { path.hasSuffix(".\($0.rawValue)") }) else {
        throw Failure(
          .usage,
          "\(flag) \(path): expected a file called .safetensors, .npy, .ark or .scp: its name says what it holds"
        )
      }
      self = format
    }
  }

  /// Reads embeddings: `embeddings` F32 [N, D] of a safetensors file with its `keys` in the metadata, a JSON list; a
  /// matrix of NumPy's with `FILE.keys` beside it, a key a line; vectors of Kaldi's, an archive or its table.
  ///
  /// - Parameter flag: what names the file on the command line.
  /// - Throws: `usage` for another ending, `missingInput`, `inputOutput`, and `badData` that says what is wrong.
  public init(reading path: String, flag: String = "--embeddings") throws(Failure) {
    switch try Format(path, flag: flag) {
    case .safetensors: try self.init(safetensors: path)
    case .npy:
      let array = try NumpyArray(reading: path)
      guard array.shape.count == 2, array.shape[1] > 0 else {
        throw Failure(.badData, "\(path): has shape \(array.shape), expected [embeddings, width]")
      }
      let keys = try Self.keys(of: "\(path).keys", count: array.shape[0], path)
      try self.init(keys: keys, width: array.shape[1], values: array.values, source: path)
    case .ark: try self.init(vectors: KaldiArchive.readAll(path), source: path)
    case .scp: try self.init(vectors: KaldiArchive.readTable(path), source: path)
    }
  }

  /// The mean of a file's embeddings, [width]; of NumPy's files the keys are not asked for, and one of a single dimension
  /// is the mean itself, as WeSpeaker's `mean_vec.npy`.
  ///
  /// - Throws: as ``init(reading:flag:)``.
  public static func mean(reading path: String, flag: String) throws(Failure) -> [Double] {
    guard try Format(path, flag: flag) == .npy else {
      return try EmbeddingSet(reading: path, flag: flag).mean
    }
    let array = try NumpyArray(reading: path)
    let width = array.shape.last ?? 0, count = array.shape.count == 1 ? 1 : array.shape[0]
    guard width > 0, count > 0 else { throw Failure(.badData, "\(path): is empty") }
    let rows = (0..<count).map(String.init)
    return try EmbeddingSet(keys: rows, width: width, values: array.values, source: path).mean
  }

  private init(safetensors path: String) throws(Failure) {
    let file = try Safetensors.open(path: path)
    let tensor = try file.tensor("embeddings")
    guard tensor.shape.count == 2, tensor.shape[1] > 0 else {
      throw Failure(.badData, "\(path): embeddings has shape \(tensor.shape), expected [embeddings, width]")
    }
    guard let text = file.metadata["keys"] else {
      throw Failure(.badData, "\(path): its metadata has no keys, a JSON list with a key for each embedding")
    }
    let list = try JSON.parse(Array(text.utf8), name: "\(path): keys").array ?? []
    let keys = list.compactMap(\.string)
    guard keys.count == list.count, keys.count == tensor.shape[0] else {
      throw Failure(
        .badData,
        "\(path): keys: expected a JSON list of \(tensor.shape[0]) texts, one for each embedding, found \(keys.count)"
      )
    }
    let values = try tensor.float32Values(named: "embeddings", in: path)
    try self.init(keys: keys, width: tensor.shape[1], values: values, source: path)
  }

  private init(vectors: [KaldiArchive.Vector], source: String) throws(Failure) {
    guard let width = vectors.first?.values.count else {
      throw Failure(.badData, "\(source): holds no vectors")
    }
    var values: [Float] = []
    values.reserveCapacity(vectors.count * width)
    for vector in vectors {
      guard vector.values.count == width else {
        throw Failure(
          .badData,
          "\(source): the vector of \(vector.key.quoted) has \(vector.values.count) values, those before it \(width)"
        )
      }
      values += vector.values
    }
    try self.init(keys: vectors.map(\.key), width: width, values: values, source: source)
  }

  /// A key a line.
  private static func keys(of list: String, count: Int, _ path: String) throws(Failure) -> [String] {
    var keys: [String] = []
    var lines = try TextLines(list)
    while let line = try lines.next() {
      guard line.fields.count == 1 else {
        throw Failure(.badData, "\(list):\(line.number): expected one key without blanks")
      }
      keys.append(String(line.fields[0]))
    }
    guard keys.count == count else {
      throw Failure(.badData, "\(list): has \(keys.count) keys, but \(path) has \(count) embeddings")
    }
    return keys
  }

  /// Writes a file of the format that its ending says; `.npy` with `FILE.keys` beside it, `.ark` with its `.scp`.
  ///
  /// - Throws: `usage` for another ending, and for keys that the format cannot hold; `inputOutput`.
  public func write(to path: String, flag: String = "--output") throws(Failure) {
    switch try Format(path, flag: flag) {
    case .safetensors:
      var tensors = NamedTensors([("embeddings", Tensor(float32: values, shape: [count, width]))])
      tensors.metadata["keys"] = JSON.array(keys.map { .string($0) }).serialized()
      try Safetensors.write(tensors, to: path)
    case .npy:
      try checkKeys(flag, path)
      try FileWriting.writeAtomically(Array(keys.map { "\($0)\n" }.joined().utf8), to: "\(path).keys")
      try FileWriting.writeAtomically(NumpyArray(shape: [count, width], values: values).serialized, to: path)
    case .ark:
      try checkKeys(flag, path)
      try KaldiArchive.write(self, to: path)
    case .scp:
      throw Failure(
        .usage, "\(flag) \(path): expected the .ark; its table is written beside it, with the ending .scp")
    }
  }

  /// The files that ``write(to:flag:)`` writes.
  public static func files(of path: String) -> [String] {
    if path.hasSuffix(".npy") { return [path, "\(path).keys"] }
    return path.hasSuffix(".ark") ? [path, KaldiArchive.table(of: path)] : [path]
  }

  private func checkKeys(_ flag: String, _ path: String) throws(Failure) {
    // What Kaldi and Python split lines at.
    guard let key = keys.first(where: { $0.isEmpty || $0.contains(where: \.isWhitespace) }) else { return }
    throw Failure(
      .usage, "\(flag) \(path): the key \(key.quoted) cannot be written there; a .safetensors file takes any")
  }
}
