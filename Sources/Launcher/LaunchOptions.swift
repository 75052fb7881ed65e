import Diagnostics
import Foundation

/// What `speakerid-dist launch` is asked for.
public struct LaunchOptions: Equatable, Sendable {
  /// Processes to start.
  public var ranks: Int
  /// Open MPI's hostfile; `nil` for this host, or the allocation of the scheduler.
  public var hostfile: String?
  /// The network that MPI may use, as names or addresses.
  public var interfaces: String?
  /// How often a failed training is started again.
  public var maxRestarts: Int
  /// Whether a run that is there already is gone on with.
  public var continues: Bool
  /// Seconds that ranks may take to save when they are asked to stop.
  public var grace: Int
  /// Whether to say what would be run, and run nothing.
  public var dryRun: Bool
  /// What follows `--`.
  public var training: TrainArguments

  /// - Parameter arguments: what follows `--`.
  /// - Throws: a usage `Failure`.
  public init(
    ranks: Int, hostfile: String? = nil, interfaces: String? = nil, maxRestarts: Int = 3,
    continues: Bool = false,
    grace: Int = 25, dryRun: Bool = false, arguments: [String]
  ) throws(Failure) {
    self.ranks = ranks
    self.hostfile = hostfile
    self.interfaces = interfaces
    self.maxRestarts = maxRestarts
    self.continues = continues
    self.grace = grace
    self.dryRun = dryRun
    for (name, value, least) in [("-n", ranks, 1), ("--max-restarts", maxRestarts, 0), ("--grace", grace, 1)]
    {
      guard value >= least, value <= 1_000_000 else {
        throw Failure(.usage, "\(name): expected a whole number from \(least) to 1000000, found \(value)")
      }
    }
    if hostfile == "" { throw Failure(.usage, "--hostfile: expected a file, found an empty name") }
    if interfaces == "" { throw Failure(.usage, "--interfaces: expected names or addresses, found none") }
    training = try TrainArguments(arguments)
    if continues, training.run == nil {
      throw Failure(.usage, "--continue: expected --run DIR behind --, the run to go on with")
    }
  }
}

/// The command line of the training, and what the launcher has to know of it.
public struct TrainArguments: Equatable, Sendable {
  /// All of it, with `train` first.
  public let words: [String]
  /// The folder of `--run`, if there is one.
  public private(set) var run: String?
  /// Whether it goes on with a run by itself.
  public private(set) var resumes = false
  /// Whether it removes a run that is there.
  public private(set) var overwrites = false
  /// Whether it trains: `--help` and `--dry-run` only tell something, once.
  public private(set) var trains = true

  /// - Parameter words: what follows `--`.
  /// - Throws: a usage `Failure` for anything but a `train`.
  public init(_ words: [String]) throws(Failure) {
    guard let command = words.first else {
      throw Failure(
        .usage, "expected -- and what is to be started: launch -n 4 -- train --data DIR --run DIR")
    }
    guard command == "train" else {
      throw Failure(.usage, "expected 'train' behind --, found '\(command)': nothing else is supervised")
    }
    self.words = words
    var rest = words.dropFirst()[...]
    while let word = rest.popFirst() {
      switch word {
      case "--run": run = rest.popFirst()
      case "--resume", "--resume=auto": resumes = true
      case "--overwrite": overwrites = true
      case "--dry-run", "--help", "-h", "--help-config", "--version": trains = false
      default: if word.hasPrefix("--run=") { run = String(word.dropFirst("--run=".count)) }
      }
    }
  }

  /// The words of a start that goes on with a run.
  ///
  /// - Parameter found: the run's folder, where the command line does not name one.
  package func goingOn(with found: String?) -> [String] {
    let name = run == nil ? found.map { ["--run", $0] } ?? [] : []
    // Beside --weights, if they were given: the program takes them when the run has no checkpoint yet.
    // What was to be overwritten is gone: the run that is there now is this one.
    return words.filter { $0 != "--overwrite" } + name + (resumes ? [] : ["--resume"])
  }
}

/// The folder of a run as far as this host can see it.
package struct ObservedRun: Equatable, Sendable {
  /// The folder; `nil` until it is known.
  package var path: String?
  /// The steps with which the training has last begun, as it has told.
  package var begunStep: Int?

  /// - Parameter path: the folder; `nil` until it is known.
  package init(path: String?) { self.path = path }

  /// Whether there is a run.
  package var isThere: Bool {
    begunStep != nil || path.map { access("\($0)/config.yaml", F_OK) == 0 } ?? false
  }

  /// The step of the last checkpoint that is known of.
  package var lastStep: Int? {
    let begun = begunStep.flatMap { $0 > 0 ? $0 : nil }
    guard let path, let names = try? FileManager.default.contentsOfDirectory(atPath: "\(path)/checkpoints")
    else {
      return begun
    }
    let seen = names.compactMap { name -> Int? in
      guard name.hasPrefix("step-"), access("\(path)/checkpoints/\(name)/state.json", F_OK) == 0 else {
        return nil
      }
      return Int(name.dropFirst("step-".count))
    }
    return (seen + [begun].compactMap(\.self)).max()
  }

  /// How far the training has come, for a message.
  package var progress: String {
    lastStep.map { "the last checkpoint is that of step \($0)" } ?? "no checkpoint was saved yet"
  }
}
