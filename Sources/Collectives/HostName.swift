import Glibc

/// The name of this machine, as the kernel has it.
func machineName() -> String {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { name in
    name.initialize(repeating: 0)
    guard let start = name.baseAddress, gethostname(start, name.count - 1) == 0 else { return "unknown" }
    return String(cString: start)
  }
}
