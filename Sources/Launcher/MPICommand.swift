import Diagnostics
import Foundation

/// The mpirun of a training: its command line and the parameters it finds in its environment.
package struct MPICommand: Equatable, Sendable {
  /// mpirun, by its full path.
  package let mpirun: String
  /// What each rank runs, by its full path, at which the other hosts have it too.
  package let program: String
  /// Variables for mpirun and, through it, for the daemons of other hosts; in the order in which they are shown.
  package let variables: [(name: String, value: String)]
  /// Variables that mpirun has to pass on: over ssh nothing of the environment is.
  let exported: [String]

  /// Open MPI's parameters of a training that is supervised, where the user has not set them.
  private static let parameters = [
    // More processes than cores are welcome; they then also make room for each other while they wait.
    ("rmaps_base_oversubscribe", "1"),
    // Else each of one or two processes is bound to one core, where all its threads would share that core.
    ("hwloc_base_binding_policy", "none"),
    // A host that is gone, or a link that is down, is noticed by the daemons' keepalive: asked after each second of
    // silence, lost after 4 questions without an answer, so 4 to 5 s after the loss. The job has ended 6 to 9 s after
    // it; with Open MPI's own values (300 s, 20 s, 9) that would take eight minutes. A shorter loss is survived.
    ("oob_tcp_keepalive_time", "1"), ("oob_tcp_keepalive_intvl", "1"), ("oob_tcp_keepalive_probes", "4"),
    // Each host is reached from this one, so that one that is gone keeps no other from being started.
    ("plm_rsh_no_tree_spawn", "1"),
    // Every host's message is shown, not only the first with a count of the others.
    ("orte_base_help_aggregate", "0"),
  ]

  /// Finds the programs, and sets what the user has not.
  ///
  /// - Parameters:
  ///   - environment: `PATH`; `PROGRAM` and `MPIRUN`, which name others than this program and mpirun; what of Open MPI's
  ///     is set already.
  ///   - configured: the text of the user's own `~/.openmpi/mca-params.conf`.
  ///   - interfaces: the network that MPI may use.
  /// - Throws: `unavailable` when one of the programs is not there.
  package init(
    environment: [String: String], configured: String, interfaces: String?, isRoot: Bool = geteuid() == 0
  ) throws(Failure) {
    let path = environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
    func named(_ variable: String, else name: String) -> String {
      environment[variable].flatMap { $0.isEmpty ? nil : $0 } ?? name
    }
    let name = named("MPIRUN", else: "mpirun")
    guard let mpirun = Self.find(name, in: path) else {
      throw Failure(.unavailable, "there is no '\(name)' on PATH: install Open MPI (Debian: openmpi-bin)")
    }
    self.mpirun = mpirun
    let own = named("PROGRAM", else: "/proc/self/exe")
    guard let program = Self.find(own, in: path).flatMap(Self.resolved) else {
      throw Failure(.unavailable, "PROGRAM: there is no '\(own)' that can be run")
    }
    self.program = program
    let lines = configured.split(separator: "\n").map {
      $0.split(separator: "=")[0].trimmingCharacters(in: .whitespaces)
    }
    var variables: [(name: String, value: String)] = []
    // Open MPI refuses to start as root unless it is told so twice. No file can say it, only the environment.
    if isRoot { variables += ["OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"].map { ($0, "1") } }
    variables += Self.parameters.filter { !lines.contains($0.0) }.map { ("OMPI_MCA_\($0.0)", $0.1) }
    variables = variables.filter { environment[$0.name, default: ""].isEmpty }
    if let interfaces {
      variables += ["btl", "oob"].map { ("OMPI_MCA_\($0)_tcp_if_include", interfaces) }
    }
    variables.append((LaunchEvent.variable, "1"))
    self.variables = variables
    // What chooses OpenBLAS's kernels has to be the same everywhere.
    exported = environment.keys.filter { $0.hasPrefix("OPENBLAS_") }.sorted() + [LaunchEvent.variable]
  }

  /// The words of the command.
  ///
  /// - Parameters:
  ///   - hostfile: the file of the hosts that take part, if there is one.
  ///   - arguments: those of the program.
  package func words(ranks: Int, hostfile: String?, arguments: [String]) -> [String] {
    [mpirun, "-n", "\(ranks)"] + (hostfile.map { ["--hostfile", $0] } ?? [])
      + exported.flatMap { ["-x", $0] }
      + [program] + arguments
  }

  /// The command as a shell would take it, with its variables before it.
  package func text(ranks: Int, hostfile: String?, arguments: [String]) -> String {
    (variables.map { "\($0.name)=\(Self.quoted($0.value))" }
      + words(ranks: ranks, hostfile: hostfile, arguments: arguments).map(Self.quoted)).joined(separator: " ")
  }

  package static func == (left: MPICommand, right: MPICommand) -> Bool {
    left.text(ranks: 1, hostfile: nil, arguments: []) == right.text(ranks: 1, hostfile: nil, arguments: [])
  }

  /// A word as a shell takes it for one.
  package static func quoted(_ word: String) -> String {
    let plain = word.utf8.allSatisfy { byte in
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
        || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || "_-+=:,./@%".utf8.contains(byte)
    }
    return plain && !word.isEmpty ? word : "'" + word.replacingOccurrences(of: "'", with: "'\\''") + "'"
  }

  /// A program of a search path, or one that is named by its own path.
  static func find(_ name: String, in path: String) -> String? {
    let places =
      name.contains("/")
      ? [name]
      : path.split(separator: ":", omittingEmptySubsequences: false).map {
        "\($0.isEmpty ? "." : $0)/\(name)"
      }
    return places.first { place in
      var status = stat()
      return access(place, X_OK) == 0 && stat(place, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }
  }

  private static func resolved(_ path: String) -> String? {
    guard let full = realpath(path, nil) else { return nil }
    defer { free(full) }
    return String(cString: full)
  }
}
