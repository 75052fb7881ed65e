import Diagnostics

/// Sound files that speech is put under or into, in the order of their paths' bytes.
public struct SoundRecordings: Sendable {
  /// At least one.
  public let paths: [String]

  /// The recordings of one kind below a folder, as MUSAN comes: a recording's kind is the first folder that it is in.
  /// ``NoiseRecordings`` says which is what.
  ///
  /// - Parameter key: of the configuration, for messages.
  /// - Throws: `.missingInput` without the folder, `.badData` where there is no such recording in it.
  public init(_ kind: NoiseRecordings.Kind, in folder: String, key: String) throws(Failure) {
    let files = try SoundTree(folder).files
    let own = [NoiseRecordings.Kind.music, .speech]
    func first(_ path: String) -> Substring { path.prefix { $0 != "/" } }
    let isSorted = files.contains { path in own.contains { first(path) == $0.rawValue } }
    let chosen = files.filter { path in
      guard isSorted else { return true }
      return kind == .noise ? !own.contains { first(path) == $0.rawValue } : first(path) == kind.rawValue
    }
    guard !chosen.isEmpty else {
      throw Failure(
        .badData,
        "\(key): \(folder) has no sound of \(kind.rawValue): expected MUSAN's music, noise and speech")
    }
    paths = chosen.map { "\(folder)/\($0)" }
  }

  /// The impulse responses below a folder, as RIRS_NOISES comes: its simulated rooms if there are any. Otherwise all
  /// sound but the noises that come with real rooms.
  ///
  /// - Throws: `.missingInput` without the folder, `.badData` where there is no response in it.
  public init(roomsIn folder: String, key: String) throws(Failure) {
    let files = try SoundTree(folder).files
    func has(_ path: String, _ name: String) -> Bool {
      path.split(separator: "/").dropLast().contains { $0 == name }
    }
    let simulated = files.filter { has($0, "simulated_rirs") }
    let chosen =
      simulated.isEmpty
      ? files.filter { path in
        let isNoise =
          has(path, "real_rirs_isotropic_noises") && path.split(separator: "/").last!.contains("noise")
        return !isNoise && !has(path, "pointsource_noises")
      } : simulated
    guard !chosen.isEmpty else {
      throw Failure(
        .badData, "\(key): \(folder) has no impulse responses: expected RIRS_NOISES or its simulated_rirs")
    }
    paths = chosen.map { "\(folder)/\($0)" }
  }
}
