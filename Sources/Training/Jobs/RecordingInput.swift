import Diagnostics
import SpeechData

/// What a command that uses weights is given to hear.
public enum RecordingInput: Equatable, Sendable {
  /// A corpus.
  case data(CorpusSource)
  /// Sound files.
  case files([String])

  /// The sound files, as `OutputFiles` takes them.
  var files: [OutputFiles.Named?] {
    if case .files(let paths) = self { paths.map { ("the command", $0) } } else { [] }
  }

  /// The corpus's folder.
  var data: String? {
    if case .data(let source) = self { source.path } else { nil }
  }
}

extension WeightsSource {
  /// What is read for the weights, as `OutputFiles` takes it.
  var files: (files: [OutputFiles.Named?], run: String?) {
    switch self {
    case .run(let path, _): ([], path)
    case .file(let weights, let configurations):
      ([("--weights", weights)] + configurations.map { ("--config", $0) }, nil)
    }
  }
}

extension Console {
  /// Ends a job that has answered for all recordings but some: tells why for each, the last by throwing it.
  func throwLast(of failures: [Failure]) throws {
    guard let last = failures.last else { return }
    for failure in failures.dropLast() { error(failure) }
    let kinds = Set(failures.map(\.kind))
    throw kinds.count == 1 ? last : Failure(.badData, last.message)
  }
}
