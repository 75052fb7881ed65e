/// The options of `bench`.
public struct BenchJob: Job {
  /// What can be measured.
  public enum Subject: String, CaseIterable, Sendable {
    /// Training steps a second, and where their time goes.
    case step
    /// Validation utterances a second.
    case validate
    /// Whole utterances predicted a second.
    case infer
    /// The ordered sum against MPI's own all-reduce.
    case allreduce
    /// Segments read a second.
    case data
  }

  /// What is measured.
  public var subject: Subject
  /// The configuration of the network; `nil` for the defaults.
  public var configurationFile: String?
  /// `key=value`, beating the configuration file.
  public var overrides: [String] = []
  /// The homework's directory or a packed one; `nil` for made-up data of the same shape.
  public var data: String?
  /// Whether the result is one JSON object.
  public var json = false
  /// Where a timeline of the measured steps goes, for chrome://tracing; `nil` for nowhere.
  public var trace: String?
  /// Seconds to measure; `nil` for what the subject needs.
  public var seconds: Double?
  /// Threads of each process; `nil` for its share of the machine's cores.
  public var threads: Int?

  /// Measures `subject`.
  public init(_ subject: Subject) { self.subject = subject }
}
