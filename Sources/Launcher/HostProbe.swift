import Foundation
import Subprocess

/// Asks hosts whether they answer, and have the program.
struct HostProbe: Sendable {
  /// The words that reach another host, as mpirun would.
  let agent: [String]
  /// The program, by its full path.
  let program: String

  /// Seconds that a host has for its answer.
  private static let patience = 10

  /// - Parameter environment: `OMPI_MCA_plm_rsh_agent` and `_args` say how mpirun reaches other hosts.
  init(environment: [String: String], program: String) {
    self.program = program
    let words = { (name: String) in
      environment["OMPI_MCA_plm_rsh_\(name)", default: ""].split(separator: " ").map(String.init)
    }
    // Of several, the first.
    var agent = words("agent").map { String($0.prefix { $0 != ":" }) }
    if agent.isEmpty { agent = ["ssh"] }
    agent += words("args")
    // As mpirun would reach it: the user's own ssh, with the user's own configuration and checks. Nobody is there to answer a
    // question, so a host that would ask one (a password, an unknown key) is one that does not answer.
    if agent[0].split(separator: "/").last == "ssh" {
      agent += ["-o", "BatchMode=yes", "-o", "ConnectTimeout=5"]
    }
    self.agent = agent
  }

  /// Asks all hosts at once.
  ///
  /// - Returns: for each, `nil` if it can take part, else why not.
  func ask(_ hosts: [Hostfile.Host]) async -> [String?] {
    await withTaskGroup(of: (Int, String?).self) { group in
      for (place, host) in hosts.enumerated() { group.addTask { (place, await objection(of: host.name)) } }
      var answers = [String?](repeating: nil, count: hosts.count)
      for await (place, answer) in group { answers[place] = answer }
      return answers
    }
  }

  /// Why a host cannot take part, if it cannot.
  private func objection(of host: String) async -> String? {
    if Self.isThisHost(host.split(separator: "@").last.map(String.init) ?? host) {
      return access(program, X_OK) == 0 ? nil : "there is no \(program)"
    }
    let quoted = MPICommand.quoted(program)
    let test = "test -x \(quoted) || { echo there is no \(quoted); exit 1; }"
    let words = ["-k", "1", "\(Self.patience)"] + agent + [host, test]
    do {
      let answer = try await run(
        .name("timeout"), arguments: Arguments(words), output: .bytes(limit: 1 << 16),
        error: .combinedWithOutput)
      return answer.terminationStatus.isSuccess ? nil : Self.reason(answer.standardOutput)
    } catch {
      return "'\(agent[0])' could not be run: \(error)"
    }
  }

  /// The last line of what was said.
  static func reason(_ output: [UInt8]) -> String {
    let lines = String(decoding: output, as: UTF8.self).split(whereSeparator: \.isNewline)
      .map {
        String(
          $0.unicodeScalars.filter { $0.properties.generalCategory != .control }.prefix(300).map(
            Character.init))
      }
    return lines.last { !$0.allSatisfy(\.isWhitespace) } ?? "it does not answer in \(patience) s"
  }

  /// Whether a name is one of this host, as mpirun would find it.
  static func isThisHost(_ name: String) -> Bool {
    if ["localhost", "::1", ProcessInfo.processInfo.hostName].contains(name) || name.hasPrefix("127.") {
      return true
    }
    var own = [CChar](repeating: 0, count: 256)
    if gethostname(&own, own.count) == 0,
      name == own.withUnsafeBufferPointer({ String(cString: $0.baseAddress!) })
    {
      return true
    }
    let named = addresses(of: name)
    return named.contains { $0.hasPrefix("127.") } || !named.isDisjoint(with: ownAddresses())
  }

  private static func addresses(of name: String) -> Set<String> {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
    defer { freeaddrinfo(list) }
    return Set(
      sequence(first: list) { $0?.pointee.ai_next }.compactMap { $0.flatMap { text($0.pointee.ai_addr) } })
  }

  private static func ownAddresses() -> Set<String> {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return [] }
    defer { freeifaddrs(list) }
    return Set(
      sequence(first: list) { $0?.pointee.ifa_next }.compactMap { $0.flatMap { text($0.pointee.ifa_addr) } })
  }

  private static func text(_ address: UnsafeMutablePointer<sockaddr>?) -> String? {
    guard let address, [sa_family_t(AF_INET), sa_family_t(AF_INET6)].contains(address.pointee.sa_family)
    else { return nil }
    let size =
      address.pointee.sa_family == sa_family_t(AF_INET)
      ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
    var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    guard getnameinfo(address, socklen_t(size), &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST) == 0
    else { return nil }
    return name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }
}
