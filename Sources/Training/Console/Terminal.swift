import Foundation

/// The terminal a person watches, if there is one.
///
/// Under `mpirun` every process has a terminal of mpirun's making on its standard output, also when mpirun's
/// own output goes to a file. So there it is the launcher's standard output that decides.
final class Terminal {
  private let descriptor: Int32
  private let closes: Bool

  private init(_ descriptor: Int32, closes: Bool) {
    self.descriptor = descriptor
    self.closes = closes
  }

  deinit {
    if closes { close(descriptor) }
  }

  /// The terminal behind a descriptor of this process, or `nil` if nobody sees a live line there.
  static func behind(_ descriptor: Int32) -> Terminal? {
    let environment = ProcessInfo.processInfo.environment
    guard isatty(descriptor) == 1, environment["TERM"] != "dumb" else { return nil }
    guard environment["OMPI_COMM_WORLD_SIZE"] != nil else { return Terminal(descriptor, closes: false) }
    guard let launcher = launcherProcess() else { return nil }
    let output = open("/proc/\(launcher)/fd/\(descriptor)", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
    guard output >= 0 else { return nil }
    guard isatty(output) == 1 else {
      close(output)
      return nil
    }
    return Terminal(output, closes: true)
  }

  /// How wide it is now, if it says so.
  var columns: Int? {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }

  /// The mpirun, or the daemon of another host, above this process.
  private static func launcherProcess() -> Int32? {
    let launchers: Set = ["mpirun", "mpiexec", "orterun", "prterun", "orted", "prted"]
    var process = getppid()
    for _ in 0..<16 where process > 1 {
      let folder = "/proc/\(process)"
      guard let name = try? String(contentsOfFile: "\(folder)/comm", encoding: .utf8),
        let status = try? String(contentsOfFile: "\(folder)/status", encoding: .utf8)
      else { return nil }
      let program = name.prefix { $0 != "\n" && $0 != "." }
      if launchers.contains(String(program)) { return process }
      let parent = status.split(separator: "\n").first { $0.hasPrefix("PPid:") }
      process = parent.flatMap { Int32($0.dropFirst(5).trimmingCharacters(in: .whitespaces)) } ?? 0
    }
    return nil
  }
}
