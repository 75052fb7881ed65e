import Foundation

/// What a training tells the launcher that started it: one line on standard error, which mpirun forwards from wherever
/// rank 0 is.
///
/// A line is a JSON text after the control character that RFC 7464 puts before one (0x1E), so that nothing a person is
/// told can be taken for it: `␞{"event":"begun","run":"/shared/runs/first","step":0}`. It is written only where
/// ``variable`` asks for it.
public struct LaunchEvent: Codable, Equatable, Sendable {
  /// What has happened.
  public enum Name: String, Codable, Sendable {
    /// Everything is read, and the first step is next.
    case begun
  }

  /// The variable of the environment that asks for events.
  public static let variable = "SPEAKERID_DIST_EVENTS"
  /// What stands before an event, wherever in a line it begins.
  public static let mark: UInt8 = 0x1E

  /// What has happened.
  public let event: Name
  /// The run directory, as a full path.
  public let run: String
  /// Steps done: 0, or those of the checkpoint that the run goes on from.
  public let step: Int

  /// The training in `run` begins, after `step` steps.
  public static func begun(run: String, step: Int) -> LaunchEvent {
    let folder = FileManager.default.currentDirectoryPath
    return LaunchEvent(event: .begun, run: run.hasPrefix("/") ? run : "\(folder)/\(run)", step: step)
  }

  /// The event of a line that begins behind the mark.
  ///
  /// - Returns: `nil` for what is none.
  public init?(_ text: some Sequence<UInt8>) {
    guard let event = try? JSONDecoder().decode(LaunchEvent.self, from: Data(text)), event.step >= 0 else {
      return nil
    }
    self = event
  }

  private init(event: Name, run: String, step: Int) {
    self.event = event
    self.run = run
    self.step = step
  }

  /// The line, with its mark and its end.
  public var line: [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let text = (try? encoder.encode(self)) ?? Data()
    return [Self.mark] + text + [UInt8(ascii: "\n")]
  }

  /// Writes the line to standard error, if a launcher listens.
  public func tell() {
    guard ProcessInfo.processInfo.environment[Self.variable] != nil else { return }
    // In one piece, so that it is not mixed with what other ranks say.
    _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
  }
}
