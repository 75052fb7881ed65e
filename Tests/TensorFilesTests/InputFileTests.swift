import Diagnostics
import Foundation
import TensorFiles
import TestSupport
import Testing

@Suite("What is read as a file") struct InputFileTests {
  private let folder: TemporaryFolder
  private let pipe: String
  private let socket: String

  init() throws {
    folder = TemporaryFolder()
    pipe = folder("pipe")
    socket = folder("socket")
    try #require(mkfifo(pipe, 0o600) == 0)
    let descriptor = Foundation.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array("\(socket)".utf8).prefix(100)) }
    try #require(
      withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      } == 0)
  }

  @Test("is one: a pipe, a socket, a device or a folder is refused at once, by every reader")
  func others() {
    let readers: [(String) throws -> Void] = [
      { _ = try InputFile(path: $0) }, { _ = try JSON.read(path: $0) },
      { _ = try Safetensors.read(path: $0) },
      { _ = try TorchFile.readStateDict(path: $0) },
    ]
    for read in readers {
      expectFailure(saying: "pipe: is a pipe, where a file") { try read(pipe) }
      expectFailure(saying: "socket: is a socket") { try read(socket) }
      expectFailure(saying: "/dev/zero: is a device, where a file") { try read("/dev/zero") }
      expectFailure(saying: "is a folder, where a file") { try read(folder.path) }
      expectFailure(.missingInput, saying: "empty name") { try read("") }
    }
  }

  @Test("but a text may come out of a pipe, also in pieces and from a late writer")
  func text() throws {
    let expected = Array(repeating: UInt8(ascii: "a"), count: 200_000)
    let path = pipe
    Thread.detachNewThread {
      usleep(100_000)
      let descriptor = open(path, O_WRONLY)
      for start in stride(from: 0, to: expected.count, by: 50_000) {
        _ = expected[start..<(start + 50_000)].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        usleep(10_000)
      }
      close(descriptor)
    }
    #expect(try InputFile.readText(path: pipe) == expected)
    let file = try folder.write(expected)
    #expect(try InputFile.readText(path: file) == expected)
    #expect(try InputFile.readText(path: "/dev/null") == [])
  }

  @Test("and a text has a bound, and is no folder")
  func bounds() throws {
    expectFailure(saying: "/dev/zero: is longer than 1000 bytes") {
      try InputFile.readText(path: "/dev/zero", atMost: 1000)
    }
    let file = try folder.write(Array(repeating: 0, count: 1001))
    expectFailure(saying: "is longer than 1000 bytes") { try InputFile.readText(path: file, atMost: 1000) }
    expectFailure(saying: "is a folder, where a text") { try InputFile.readText(path: folder.path) }
    expectFailure(.missingInput, saying: "none: no such file") {
      try InputFile.readText(path: folder("none"))
    }
  }
}

@Suite("Foreign text in messages") struct MessageTests {
  @Test(
    "reaches the terminal without anything that it would obey",
    arguments: [
      ("a\u{1B}[31mb", #"a\u001b[31mb"#), ("a\nb\rc\td", #"a\nb\rc\td"#), ("\u{9B}31m", #"\u009b31m"#),
      ("\u{7F}\0", #"\u007f\u0000"#), ("\u{202E}txt.exe\u{2066}", #"\u202etxt.exe\u2066"#),
      ("\u{2028}\u{2029}", #"\u2028\u2029"#), ("\u{FEFF}\u{E0041}", #"\ufeff\udb40\udc41"#),
      ("é 語 👍", "é 語 👍"),
    ])
  func escapes(text: String, shown: String) {
    let failure = Failure(.badData, text)
    #expect(failure.message == shown)
    #expect(Failure(.badData, failure.message) == failure)
    #expect(text.quoted == "\"\(shown)\"")
  }

  @Test("is cut in the middle, and says so")
  func long() {
    let failure = Failure(.badData, "/" + String(repeating: "x", count: 5000) + ": is a folder")
    #expect(failure.message.count < 1000)
    #expect(failure.message.hasPrefix("/xxx") && failure.message.hasSuffix("xxx: is a folder"))
    #expect(failure.message.contains(" … [4114 characters left out] … "))
    // Escaping makes it longer: what is shown is what counts.
    #expect(Failure(.badData, String(repeating: "\u{1B}", count: 1000)).message.count < 1000)
    #expect(String(repeating: "é", count: 101).quoted == "\"" + String(repeating: "é", count: 100) + "…\"")
  }

  @Test("keeps its line breaks where several lines are meant")
  func lines() {
    #expect("a\u{1B}\n\tb\r".printableLines == "a\\u001b\n\tb\\r")
    #expect("Error:\n  a\n\n  b".onOneLine == "Error: a b")
  }
}
