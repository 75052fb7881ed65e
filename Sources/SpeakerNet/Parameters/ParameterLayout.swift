/// A parameter's place in the flat buffers: where its window starts and which shape it has as a matrix.
///
/// Vectors are matrices of one row; a convolution's [O, I, K] weight is a matrix [O, I·K].
public struct Parameter: Sendable, Equatable {
  /// Its index in ``ParameterLayout/entries``.
  public let index: Int
  /// First element in the flat buffers of parameters and gradients.
  public let offset: Int
  /// Rows of its matrix form: outputs.
  public let rows: Int
  /// Columns of its matrix form: inputs.
  public let columns: Int

  /// In how many runs of rows its gradient is finished and exchanged, the last first: a large one's in thirds, which
  /// for attention's packed projection are queries, keys and values.
  public let parts: Int

  /// Floats that are worth being sent by themselves: enough for their bytes to count more than a message's latency.
  public static let worthSending = 1 << 16

  init(index: Int, offset: Int, rows: Int, columns: Int) {
    self.index = index
    self.offset = offset
    self.rows = rows
    self.columns = columns
    parts = rows * columns / 3 < Self.worthSending ? 1 : 3
  }

  /// Number of elements.
  public var count: Int { rows * columns }

  /// The rows of one of its ``parts``, which are as equal as rows allow.
  public func rows(ofPart part: Int) -> Range<Int> { rows * part / parts..<rows * (part + 1) / parts }

  /// The first element of one of its ``parts`` in the flat buffers.
  public func offset(ofPart part: Int) -> Int { offset + rows(ofPart: part).lowerBound * columns }
}

/// A BatchNorm statistic's place in the flat buffer of running statistics.
public struct Buffer: Sendable, Equatable {
  /// First element.
  public let offset: Int
  /// Number of elements.
  public let count: Int
}

/// How a parameter starts. Distributions are PyTorch's defaults of `nn.Linear`, `nn.MultiheadAttention`,
/// `nn.Conv1d`, `nn.LayerNorm` and `nn.BatchNorm1d`.
public enum Initialization: Sendable, Equatable {
  case zeros, ones
  /// Uniform in ±bound.
  case uniform(bound: Float)
}

/// The names, shapes and places of everything a model stores: what a state dict needs to know.
///
/// Parameters that get gradients lie first, in the order of the forward pass, in one flat buffer of
/// ``trainedCount`` floats; those that never get one (`Norm2` of report 004's first task) follow, so that the
/// optimizer and the exchange are one loop over the first part.
public struct ParameterLayout: Sendable {
  /// One stored parameter.
  public struct Entry: Sendable {
    /// PyTorch's name.
    public let name: String
    /// PyTorch's shape.
    public let shape: [Int]
    /// Its window.
    public let parameter: Parameter
    /// How it starts.
    public let initialization: Initialization
    /// The parameter whose initial values it starts with, for layers that start as copies.
    public let copyOf: Int?
    /// Whether it ever gets a gradient.
    public let isTrained: Bool
  }

  /// One BatchNorm: where its running statistics are, and the names of its three buffers.
  public struct Statistics: Sendable {
    /// The name before `.running_mean`.
    public let prefix: String
    /// Windows of the flat buffer of statistics.
    public let mean: Buffer, variance: Buffer
  }

  /// Every parameter, in PyTorch's order of registration.
  public private(set) var entries: [Entry] = []
  /// Every BatchNorm.
  public private(set) var statistics: [Statistics] = []
  /// Names under which a state dict repeats a parameter (weights shared by layers): repeated name → stored name.
  public private(set) var aliases: [(name: String, stored: String)] = []
  /// Floats that get gradients.
  public private(set) var trainedCount = 0
  /// Floats in all.
  public private(set) var count = 0
  /// Floats of running statistics.
  public private(set) var statisticsCount = 0

  /// Runs of the flat buffer that hold vectors (biases, norms), whose gradients are added to and so start at zero.
  public private(set) var vectorRuns: [Range<Int>] = []

  private var pendingUntrained: [Int] = []
  private var template: (prefix: String, copyPrefix: String)?

  /// A layout with nothing in it.
  public init() {}

  /// Adds a parameter. A shape of one number is a vector, [O, I] a matrix, [O, I, K] a convolution's weight.
  public mutating func add(_ name: String, _ shape: [Int], _ initialization: Initialization) -> Parameter {
    let rows = shape.count == 1 ? 1 : shape[0]
    let parameter = Parameter(
      index: entries.count, offset: trainedCount, rows: rows, columns: shape.reduce(1, *) / rows)
    entries.append(
      Entry(
        name: name, shape: shape, parameter: parameter, initialization: initialization, copyOf: copied(name),
        isTrained: true))
    trainedCount += parameter.count
    count = trainedCount
    if parameter.rows == 1 { addVectorRun(parameter.offset..<trainedCount) }
    return parameter
  }

  /// Floats registered so far, with those that never get a gradient.
  var storedCount: Int {
    trainedCount + pendingUntrained.reduce(0) { $0 + entries[$1].parameter.count }
  }

  private mutating func addVectorRun(_ run: Range<Int>) {
    if let last = vectorRuns.last, last.upperBound == run.lowerBound {
      vectorRuns[vectorRuns.count - 1] = last.lowerBound..<run.upperBound
    } else {
      vectorRuns.append(run)
    }
  }

  /// Remembers a parameter that is stored and counted but never used; ``finish()`` gives it its place.
  public mutating func addUntrained(_ name: String, _ shape: [Int], _ initialization: Initialization) {
    pendingUntrained.append(entries.count)
    entries.append(
      Entry(
        name: name, shape: shape,
        parameter: Parameter(index: entries.count, offset: -1, rows: 1, columns: shape.reduce(1, *)),
        initialization: initialization, copyOf: nil, isTrained: false))
  }

  /// Adds the running statistics of a BatchNorm over `channels`.
  public mutating func addStatistics(_ prefix: String, channels: Int) -> (mean: Buffer, variance: Buffer) {
    let mean = Buffer(offset: statisticsCount, count: channels)
    let variance = Buffer(offset: statisticsCount + channels, count: channels)
    statisticsCount += 2 * channels
    statistics.append(Statistics(prefix: prefix, mean: mean, variance: variance))
    return (mean, variance)
  }

  /// Says that a state dict also holds every parameter below `stored` under `name`.
  public mutating func alias(prefix name: String, of stored: String) {
    for entry in entries where entry.name.hasPrefix(stored) {
      aliases.append((name + entry.name.dropFirst(stored.count), entry.name))
    }
  }

  /// Adds parameters by `body`; those below `prefix` start with the values of their namesakes below `original`,
  /// as `nn.TransformerEncoder` copies its layer.
  public mutating func startingAsCopy<Result>(
    of original: String, below prefix: String, _ body: (inout ParameterLayout) -> Result
  ) -> Result {
    template = (original, prefix)
    defer { template = nil }
    return body(&self)
  }

  /// Places the parameters that never get a gradient behind the others.
  public mutating func finish() {
    for index in pendingUntrained {
      let entry = entries[index]
      let placed = Parameter(index: index, offset: count, rows: 1, columns: entry.parameter.columns)
      entries[index] = Entry(
        name: entry.name, shape: entry.shape, parameter: placed, initialization: entry.initialization,
        copyOf: nil,
        isTrained: false)
      count += placed.count
    }
    pendingUntrained = []
  }

  private func copied(_ name: String) -> Int? {
    guard let template, name.hasPrefix(template.copyPrefix) else { return nil }
    let original = template.prefix + name.dropFirst(template.copyPrefix.count)
    return entries.firstIndex { $0.name == original }
  }
}
