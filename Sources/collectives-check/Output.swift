import Glibc

/// Writes a line at once, so that it is there even when the process is ended from outside.
func printLine(_ line: String, toStandardError: Bool = false) {
  var rest = Array((line + "\n").utf8)[...]
  while !rest.isEmpty {
    let written = rest.withUnsafeBytes { write(toStandardError ? 2 : 1, $0.baseAddress, $0.count) }
    if written <= 0 { return }
    rest = rest.dropFirst(written)
  }
}

/// Ends the process.
func exitProcess(_ status: Int32) -> Never { exit(status) }
