import ArgumentParser
import Diagnostics
import Training

/// `--config` and `--set`.
struct ConfigurationOptions: ParsableArguments {
  @Option(
    name: .customLong("config"),
    help: ArgumentHelp(
      "A configuration file, or the name of a shipped recipe, for example 003-sample; 'train --help-config' explains "
        + "the keys.", valueName: "file"))
  var file: String?

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

/// `--run`, or `--weights` with `--config`.
struct WeightsOptions: ParsableArguments {
  @Option(help: ArgumentHelp("A run: its best weights and its configuration.", valueName: "dir"))
  var run: String?

  @Option(
    help: ArgumentHelp("The weights of that checkpoint of --run in place of the best.", valueName: "step-n"))
  var checkpoint: String?

  @Option(help: ArgumentHelp("Weights, .safetensors, .pt or .ckpt; needs --config.", valueName: "file"))
  var weights: String?

  func source(configurationFile: String?) throws -> WeightsSource {
    if let checkpoint, run == nil {
      throw Failure(.usage, "--checkpoint \(checkpoint): expected the --run that it is a checkpoint of")
    }
    switch (run, weights, configurationFile) {
    case (let run?, nil, nil): return .run(run, checkpoint: checkpoint)
    case (nil, let weights?, let file?): return .file(weights: weights, configuration: file)
    case (nil, nil, _): throw Failure(.usage, "expected --run DIR, or --weights FILE with --config FILE")
    case (_?, _?, _): throw Failure(.usage, "--run and --weights: expected one of them, found both")
    case (nil, _?, nil): throw Failure(.usage, "--weights: expected the network's --config FILE with it")
    case (_?, nil, _?): throw Failure(.usage, "--config: a --run brings its own; use --set to change a key")
    }
  }
}
