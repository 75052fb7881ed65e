/// An error meant for a person: one line that says what was wrong, where, and what would be right.
///
/// Every rank that meets one ends with the same exit status; rank 0 prints the line.
public struct Failure: Error, Equatable, Sendable, CustomStringConvertible {
  /// The exit status, after sysexits.h.
  public enum Kind: Int32, Sendable {
    /// A wrong command line or configuration.
    case usage = 64
    /// A file that exists but does not hold what it should.
    case badData = 65
    /// A file or folder that is not there.
    case missingInput = 66
    /// A host that does not answer.
    case unavailable = 69
    /// A defect of this program.
    case internalError = 70
    /// Memory that cannot be had.
    case outOfMemory = 71
    /// Reading or writing failed: no space, no permission.
    case inputOutput = 74
    /// Stopped by a signal, and saved; `--resume` goes on.
    case interrupted = 75
    /// A rank is missing, or its parameters differ from the others'; `--resume` goes on from the last checkpoint.
    case rankLost = 76
  }

  /// What kind of failure, and so which exit status.
  public let kind: Kind
  /// One line, without a newline or a leading "error:".
  public let message: String

  /// - Parameter message: one line; names the file, the key or the number it speaks of.
  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  /// An error as a failure: itself if it is one, else a defect of this program, described.
  public init(describing error: any Error) {
    self = error as? Failure ?? Failure(.internalError, String(describing: error))
  }

  /// The message alone.
  public var description: String { message }
}
