import Diagnostics
import Foundation
import Launcher
import Testing

/// The hosts that a training may use.
@Suite("A hostfile") struct HostfileTests {
  func parse(_ text: String) throws -> Hostfile { try Hostfile(parsing: Array(text.utf8), name: "hosts") }

  @Test("names, slots and comments, as Open MPI writes them") func good() throws {
    let file = try parse("# all\nnode1 slots=4\n\n  root@node2\tslots = 2  max_slots=8 # mine\r\n10.1.0.3\n")
    #expect(file.hosts.map(\.name) == ["node1", "root@node2", "10.1.0.3"])
    #expect(file.hosts.map(\.slots) == [4, 2, nil])
    #expect(file.text == "node1 slots=4\nroot@node2 slots=2 max_slots=8\n10.1.0.3\n")
    #expect(file.slots == nil)
    #expect(file.keeping([1, 0])?.slots == 6)
    #expect(file.keeping([]) == nil)
  }

  @Test(
    "what is no host is named with its line",
    arguments: [
      ("-oProxyCommand=x slots=1", "line 1"), ("a\n;reboot", "line 2"), ("a\n$(x) slots=1", "line 2"),
      ("node slots=0", "found '0'"), ("node slots=x", "found 'x'"),
      ("node slots=99999999999999999999", "slots"),
      ("a\nb\u{1B}[31m", "line 2"), ("a b\u{0}c", "line 1"), ("=4", "line 1"), ("ünode", "line 1"),
    ])
  func bad(text: String, part: String) throws {
    let failure = try #require(throws: Failure.self) { try parse(text) }
    #expect(failure.kind == .badData)
    #expect(failure.message.contains(part), "\(failure)")
    #expect(!failure.message.unicodeScalars.contains { $0.properties.generalCategory == .control })
  }

  @Test("a file without a host", arguments: ["", "\n\n", "# node1", "   \n\t"]) func empty(text: String)
    throws
  {
    let failure = try #require(throws: Failure.self) { try parse(text) }
    #expect(failure == Failure(.badData, "hosts: there is no host in it"))
  }

  @Test("what is not a file is refused without waiting for it") func notAFile() throws {
    let folder = NSTemporaryDirectory() + "launcher-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    mkfifo("\(folder)/fifo", 0o600)
    for (path, part) in [
      (folder, "a folder"), ("\(folder)/fifo", "a pipe"), ("\(folder)/none", "No such file"),
    ] {
      let failure = try #require(throws: Failure.self) { try Hostfile(path: path) }
      #expect(failure.kind == .missingInput && failure.message.contains(part), "\(failure)")
    }
    #expect(throws: Failure.self) { try Hostfile(path: "/dev/zero") }
    try Data(repeating: UInt8(ascii: "a"), count: 2 << 20).write(to: URL(fileURLWithPath: "\(folder)/large"))
    #expect(try #require(throws: Failure.self) { try Hostfile(path: "\(folder)/large") }.kind == .badData)
  }

  @Test("random bytes are a hostfile or a failure of one line") func fuzz() {
    var random = SystemRandomNumberGenerator()
    let alphabet = Array("ab1.-_@= \t\n\r#slots=[]:\u{0}\u{1B}é".utf8)
    for _ in 0..<5_000 {
      let bytes = (0..<Int.random(in: 0..<60, using: &random)).map { _ in
        alphabet.randomElement(using: &random)!
      }
      do {
        let file = try Hostfile(parsing: bytes, name: "hosts")
        #expect(!file.hosts.isEmpty)
        for host in file.hosts {
          #expect(!host.name.isEmpty && host.name.first != "-" && !host.line.contains("\n"))
        }
        // What mpirun is given says the same.
        #expect(try Hostfile(parsing: Array(file.text.utf8), name: "again") == file)
      } catch {
        #expect(error.kind == .badData && !error.message.contains { $0.isNewline })
      }
    }
  }

  @Test("as many ranks as asked for while there are slots, else fewer, and never none") func ranks() throws {
    let all = try parse("h1 slots=2\nh2 slots=2\nh3 slots=4\n")
    func ranks(_ asked: Int, _ places: [Int]) throws -> Int {
      try #require(all.keeping(places)).ranks(asked: asked, of: all)
    }
    #expect(try [ranks(8, [0, 1, 2]), ranks(8, [0, 2]), ranks(8, [0])] == [8, 6, 2])
    #expect(try [ranks(4, [0, 1, 2]), ranks(4, [0, 1]), ranks(4, [0])] == [4, 4, 2])
    // More ranks than slots from the start: that ratio is kept.
    #expect(try [ranks(16, [0, 1, 2]), ranks(16, [2]), ranks(9, [0])] == [16, 8, 3])
    // Where a host does not say how many it takes, mpirun decides.
    let unknown = try parse("h1 slots=2\nh2\n")
    #expect(try #require(unknown.keeping([0])).ranks(asked: 5, of: unknown) == 5)
  }
}
