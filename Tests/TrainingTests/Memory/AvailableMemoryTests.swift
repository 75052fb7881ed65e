import TestSupport
import Testing
import Training

@Suite("What a host has") struct AvailableMemoryTests {
  @Test("the tightest of memory, control group and those above it counts") func groups() throws {
    let folder = TemporaryFolder()
    let (processes, groups) = ("\(folder.path)/proc", "\(folder.path)/groups")
    func write(_ text: String, to name: String) throws { _ = try folder.write(text, to: name) }
    func free() -> Int { AvailableMemory(threads: 0, processes: processes, groups: groups).host }
    #expect(free() == Int.max)
    try write("MemTotal: 9000 kB\nMemAvailable:    8000 kB\n", to: "proc/meminfo")
    #expect(free() == 8000 * 1024)
    try write("0::/a/b\n", to: "proc/self/cgroup")
    try write("max\n", to: "groups/a/b/memory.max")
    try write("6000000\n", to: "groups/a/memory.max")
    try write("1000000\n", to: "groups/a/memory.current")
    #expect(free() == 5_000_000)
    try write("anon 1\ninactive_file 400000\n", to: "groups/a/memory.stat")
    #expect(free() == 5_400_000)
    try write("4:cpu,memory:/c\n", to: "proc/self/cgroup")
    try write("3000000\n", to: "groups/memory/c/memory.limit_in_bytes")
    try write("9223372036854771712\n", to: "groups/memory/memory.limit_in_bytes")
    try write("3500000\n", to: "groups/memory/c/memory.usage_in_bytes")
    #expect(free() == 0)
  }
}
