import Diagnostics
import Foundation

/// The hosts that a training may use: Open MPI's hostfile, as far as placing ranks needs it.
package struct Hostfile: Equatable, Sendable {
  /// A host of the file.
  package struct Host: Equatable, Sendable {
    /// Its name as ssh knows it, perhaps with a user before it.
    package let name: String
    /// How many processes it takes; `nil` where the file does not say.
    package let slots: Int?
    /// Its line, as mpirun is to read it.
    package let line: String
  }

  /// In the order of the file, in which processes are placed.
  package let hosts: [Host]

  /// The most bytes that a hostfile may have.
  private static let limit = 1 << 20

  /// Reads a hostfile.
  ///
  /// - Throws: `missingInput` when there is no such file, `badData` when it is not one of hosts.
  package init(path: String) throws(Failure) {
    // Not to wait for a pipe that nobody writes to.
    let file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else {
      throw Failure(
        .missingInput, "\(path): the hostfile cannot be read: \(String(cString: strerror(errno)))")
    }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      let found =
        switch status.st_mode & S_IFMT {
        case S_IFDIR: "a folder"
        case S_IFIFO: "a pipe"
        default: "what is no file"
        }
      throw Failure(.missingInput, "\(path): expected a hostfile, a line for each host, found \(found)")
    }
    var bytes = [UInt8](repeating: 0, count: Self.limit + 1)
    var count = 0
    while count < bytes.count {
      let more = bytes.withUnsafeMutableBytes { read(file, $0.baseAddress! + count, $0.count - count) }
      if more < 0, errno == EINTR { continue }
      guard more >= 0 else {
        throw Failure(.inputOutput, "\(path): reading failed: \(String(cString: strerror(errno)))")
      }
      if more == 0 { break }
      count += more
    }
    guard count <= Self.limit else {
      throw Failure(
        .badData, "\(path): expected a hostfile, a line for each host, found more than a megabyte")
    }
    try self.init(parsing: bytes[..<count], name: path)
  }

  /// Reads the text of a hostfile: `NAME [slots=N] [...]` a line, `#` before a comment.
  ///
  /// - Parameter name: the file's, for messages.
  /// - Throws: `badData` when a line is not a host, or there is none.
  package init(parsing bytes: some Collection<UInt8>, name: String) throws(Failure) {
    var hosts: [Host] = []
    for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .enumerated()
    {
      let place = "\(name): line \(index + 1)"
      let text = line.prefix { $0 != UInt8(ascii: "#") }
      guard text.allSatisfy({ (0x20..<0x7F).contains($0) || $0 == 0x09 || $0 == 0x0D }) else {
        throw Failure(.badData, "\(place): expected a host, found characters that no name has")
      }
      if let host = try Self.host(String(decoding: text, as: UTF8.self), place) { hosts.append(host) }
    }
    guard !hosts.isEmpty else { throw Failure(.badData, "\(name): there is no host in it") }
    self.hosts = hosts
  }

  private init(_ hosts: [Host]) { self.hosts = hosts }

  private static func host(_ line: String, _ place: String) throws(Failure) -> Host? {
    // Open MPI takes blanks around an equals sign.
    let parts = line.split(separator: "=", omittingEmptySubsequences: false)
    let words = parts.map { $0.split(whereSeparator: \.isWhitespace).joined(separator: " ") }.joined(
      separator: "="
    )
    .split(separator: " ")
    guard let name = words.first.map(String.init) else { return nil }
    // A name that begins with a dash would be an option of ssh's.
    guard name.first != "-", !name.contains("="),
      name.allSatisfy({ $0.isLetter || $0.isNumber || ".-_:@%[]".contains($0) })
    else { throw Failure(.badData, "\(place): expected the name of a host, found '\(name.prefix(80))'") }
    var slots: Int?
    for word in words.dropFirst() where word.hasPrefix("slots=") {
      let text = word.dropFirst("slots=".count)
      guard let number = Int(text), (1...1_000_000).contains(number) else {
        throw Failure(
          .badData, "\(place): \(name): slots: expected a whole number from 1, found '\(text.prefix(80))'")
      }
      slots = number
    }
    return Host(name: name, slots: slots, line: words.joined(separator: " "))
  }

  /// All slots; `nil` when a host does not say how many it has.
  package var slots: Int? {
    hosts.reduce(0) { sum, host in host.slots.flatMap { slots in sum.map { $0 + slots } } }
  }

  /// The hosts at some places of the file; `nil` for none.
  package func keeping(_ places: [Int]) -> Hostfile? {
    places.isEmpty ? nil : Hostfile(places.sorted().map { hosts[$0] })
  }

  /// How many ranks some of the hosts get: as many as were asked for while they have the slots, else fewer.
  ///
  /// Who asked for more ranks than slots from the start keeps that ratio. Never more than were asked for, so never more
  /// than `train.shards` either, which the program has checked.
  package func ranks(asked: Int, of all: Hostfile) -> Int {
    guard let total = all.slots, let mine = slots, mine < total else { return asked }
    return asked <= total ? min(asked, mine) : (asked * mine + total - 1) / total
  }

  /// The file that mpirun reads.
  package var text: String { hosts.map { $0.line + "\n" }.joined() }

  /// The hosts' names, for a message.
  package var names: String { hosts.map(\.name).joined(separator: " ") }
}
