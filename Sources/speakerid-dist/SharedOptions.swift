import ArgumentParser
import Diagnostics
import SpeechData
import Training

/// `--config` and `--set`.
struct ConfigurationOptions: ParsableArguments {
  @Option(
    name: .customLong("config"),
    help: ArgumentHelp(
      "A configuration file, or the name of a shipped recipe, for example 003-sample; 'train --help-config' explains "
        + "the keys. May be repeated, a later one beating those before it: --config 003-sample --config "
        + "augment/wespeaker.", valueName: "file"))
  var files: [String] = []

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "Sets one key, beating the file: --set train.total_steps=4000. May be repeated.", valueName: "key=value"
    ))
  var overrides: [String] = []
}

/// `--threads`.
struct ThreadOptions: ParsableArguments {
  @Option(
    name: .customLong("threads"),
    help: ArgumentHelp(
      "Threads of each process. Default: the machine's cores, shared evenly by its processes. The results do not "
        + "depend on it.", valueName: "n"))
  var count: Int?

  func validate() throws {
    if let count, count < 1 { throw ValidationError("--threads: expected 1 or more, found \(count)") }
  }
}

/// `--data` of the commands that need it.
struct DataOptions: ParsableArguments {
  @Option(
    name: .customLong("data"),
    help: ArgumentHelp(
      "The homework's directory (metadata.json, mapping.json, uttr-*.pt) or a packed one.", valueName: "dir"))
  var directory: String
}

extension Layout: ExpressibleByArgument {}

/// `--layout` and `--speaker-from` of the commands that read sound.
struct SoundOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What the data is read as, where two layouts would fit. Default: recognised.", valueName: "name"))
  var layout: Layout?

  @Option(
    help: ArgumentHelp(
      "A regular expression whose first group is the speaker in the name of a sound file, as in '_([a-z]+)_'. With a "
        + "slash in it, it is looked for in the path below the folder.", valueName: "regex"))
  var speakerFrom: String?

  func validate() throws {
    if let layout, speakerFrom != nil, layout != .fileNames {
      throw ValidationError(
        "--speaker-from tells speakers from the names of files, but --layout \(layout.rawValue) says whose they are"
      )
    }
  }

  /// The sound at a path, read as these say.
  func source(_ path: String) -> CorpusSource {
    CorpusSource(path, layout: layout, speakerFrom: speakerFrom)
  }
}

/// Sound files, or `--data`: what a command is to hear.
struct RecordingOptions: ParsableArguments {
  @Argument(help: ArgumentHelp("Sound files: WAV, FLAC, Ogg (Vorbis, Opus), MP3.", valueName: "sound"))
  var sounds: [String] = []

  @Option(
    help: ArgumentHelp(
      "In place of sound files: the homework's directory, a packed one, or sound in any layout.",
      valueName: "path"))
  var data: String?

  @OptionGroup var layout: SoundOptions

  /// - Parameter command: what its errors name.
  func input(of command: String) throws -> RecordingInput {
    switch (data, sounds.isEmpty) {
    case (let data?, true): return .data(layout.source(data))
    case (nil, false): return .files(sounds)
    case (nil, true): throw Failure(.usage, "\(command): expected sound files, or --data with a corpus")
    case (let data?, false):
      throw Failure(
        .usage, "\(command): expected sound files or --data, found both (\(sounds[0].quoted), --data \(data))"
      )
    }
  }
}
