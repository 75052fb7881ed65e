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
  /// One line, without a leading "error:", fit for a terminal whatever names it quotes.
  public let message: String

  /// - Parameter message: names the file, the key or the number it speaks of. What a name in it may hold and a
  ///   terminal must not get is escaped, and what is too long to be read is cut (see ``Swift/String/printable``).
  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message.printable
  }

  /// An error as a failure: itself if it is one, else a defect of this program, described.
  public init(describing error: any Error) {
    self = error as? Failure ?? Failure(.internalError, String(describing: error).onOneLine)
  }

  /// The message alone.
  public var description: String { message }
}

// Names of files, keys and tensors are foreign text: they may clear a screen, colour it, or fake a line.
extension String {
  /// The longest message that anybody reads.
  private static let longestMessage = 1000
  /// The longest name inside a message.
  private static let longestName = 100

  /// This text as one line for a terminal: control characters, line breaks, and what turns the direction of
  /// writing are escaped as in JSON, and of more than 1,000 characters the middle is left out.
  package var printable: String {
    guard utf8.count > Self.longestMessage || !isPlain else { return self }
    let text = escaped(keepingLines: false)
    let count = text.unicodeScalars.count
    guard count > Self.longestMessage else { return text }
    // How a message begins and what it advises at its end matter most.
    let head = Self.longestMessage * 6 / 10, tail = Self.longestMessage * 3 / 10
    let cut = " … [\(count - head - tail) characters left out] … "
    return String(text.unicodeScalars.prefix(head)) + cut + String(text.unicodeScalars.suffix(tail))
  }

  /// This text of several lines for a terminal: as ``printable``, but line breaks and its length stay.
  package var printableLines: String { isPlain ? self : escaped(keepingLines: true) }

  /// This name in double quotes, fit for one line of a message: escaped, and cut after 100 characters.
  package var quoted: String {
    let isLong = utf8.count > Self.longestName && unicodeScalars.count > Self.longestName
    let name = isLong ? String(unicodeScalars.prefix(Self.longestName)) + "…" : self
    return "\"\(name.escaped(keepingLines: false))\""
  }

  /// The lines of somebody else's message, joined into one.
  package var onOneLine: String {
    split(whereSeparator: \.isNewline).map { $0.trimmingSpaces }.joined(separator: " ")
  }

  /// Whether every character is printable ASCII, as nearly always.
  private var isPlain: Bool { utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F } }

  private func escaped(keepingLines: Bool) -> String {
    var text = ""
    for scalar in unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control where keepingLines && (scalar == "\n" || scalar == "\t"):
        text.unicodeScalars.append(scalar)
      case .control, .format, .lineSeparator, .paragraphSeparator: text += scalar.escape
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}

extension Substring {
  fileprivate var trimmingSpaces: Substring {
    var text = drop { $0 == " " }
    while text.last == " " { text.removeLast() }
    return text
  }
}

extension Unicode.Scalar {
  /// As a JSON string has it: `\n`, `\u001b`.
  fileprivate var escape: String {
    switch self {
    case "\n": return "\\n"
    case "\r": return "\\r"
    case "\t": return "\\t"
    default:
      return UTF16.encode(self)!.map { unit in
        let digits = String(unit, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      }.joined()
    }
  }
}
