import Diagnostics
import Foundation
import Training

/// Command lines as people type them who know other programs, and what each is told: one line with the right answer.
struct Mistakes {
  private let arguments: [String]
  /// The help of the command that is meant, which lists what is an option of it.
  private let help: String

  /// - Parameters:
  ///   - arguments: the whole command line.
  ///   - help: of the command that is meant.
  init(_ arguments: [String], help: String) {
    self.arguments = arguments
    self.help = help
  }

  // MARK: Before the options are read

  /// The command line with negative numbers joined to the options they follow (`--threads=-1`), which would else be
  /// taken for options themselves.
  ///
  /// - Throws: `usage` for a value that is an empty text, such as that of a shell variable which is not set.
  static func prepared(_ arguments: [String]) throws -> [String] {
    var prepared: [String] = []
    for (index, argument) in arguments.enumerated() {
      if argument == "--" { return prepared + arguments[index...] }
      let last = prepared.last ?? ""
      if argument.isEmpty {
        let what =
          last.hasPrefix("--") ? "\(last): expected a value" : "expected a command, an option or a file"
        throw Failure(.usage, "\(what), found an empty text")
      }
      if argument.hasPrefix("--"), argument.hasSuffix("="), argument.count(where: { $0 == "=" }) == 1 {
        throw Failure(.usage, "\(argument.dropLast()): expected a value, found an empty text")
      }
      if last.hasPrefix("--"), !last.contains("="), argument.wholeMatch(of: #/-\.?[0-9][0-9.eE+-]*/#) != nil {
        prepared[prepared.count - 1] += "=\(argument)"
      } else {
        prepared.append(argument)
      }
    }
    return prepared
  }

  // MARK: Commands

  /// What other programs call the commands.
  private static let commands = [
    "eval": "evaluate", "evaluation": "evaluate", "test": "evaluate", "validate": "evaluate",
    "validation": "evaluate", "valid": "evaluate", "val": "evaluate", "accuracy": "evaluate",
    "infer": "predict", "inference": "predict", "classify": "predict", "submit": "predict",
    "fit": "train", "training": "train", "finetune": "train", "fine-tune": "train", "start": "train",
    "run": "train",
    "resume": "train --run DIR --resume", "continue": "train --run DIR --resume",
    "grad": "gradients", "backward": "gradients", "preprocess": "pack", "prepare": "pack", "shard": "pack",
    "generate": "synthesize", "synth": "synthesize", "list": "recipes", "models": "recipes",
    "configs": "recipes",
    "recipe": "recipes", "export": "convert", "benchmark": "bench", "measure": "bench", "profile": "bench",
    "version": "--version",
  ]

  /// The message for a first word that is no command.
  static func unknownCommand(_ word: String, among known: [String]) -> String {
    let hint =
      if let command = commands[word.lowercased()] {
        "it is 'speakerid-dist \(command)' here"
      } else if let option = option(for: word) {
        "did you mean 'train \(option) \(word)'?"
      } else if let nearest = Nearest.match(word, among: known) {
        "did you mean '\(nearest)'?"
      } else {
        "the commands are \(known.joined(separator: ", "))"
      }
    return "unknown command '\(word)': \(hint)"
  }

  /// The option that a word on its own is most likely the value of.
  private static func option(for word: String) -> String? {
    if Recipe.all.contains(where: { $0.name == word }) || word.hasSuffix(".yaml") || word.hasSuffix(".yml") {
      return "--config"
    }
    let files = FileManager.default
    if files.fileExists(atPath: "\(word)/config.yaml") { return "--run" }
    return files.fileExists(atPath: "\(word)/metadata.json")
      || files.fileExists(atPath: "\(word)/manifest.json")
      ? "--data" : nil
  }

  // MARK: Options

  /// What other programs call options, and what is here in their place.
  private static let options: [String: String] = {
    let answers: [(names: [String], answer: String)] = [
      (
        ["gpu", "gpus", "device", "devices", "cuda", "accelerator", "num_gpus", "gpu_ids"],
        "training runs on CPUs: 'mpirun -n N' starts N processes, --threads N gives each N threads"
      ),
      (
        [
          "np", "nproc", "nproc_per_node", "num_processes", "world_size", "nnodes", "ranks", "procs", "hosts",
        ],
        "the processes are mpirun's: mpirun -n N speakerid-dist …"
      ),
      (
        ["workers", "num_workers", "jobs", "cpus", "num_threads", "nthreads"],
        "--threads N is the number of threads of each process"
      ),
      (
        [
          "output_dir", "out_dir", "save_dir", "save_path", "log_dir", "logdir", "checkpoint_dir", "ckpt_dir",
          "exp_dir", "experiment", "run_dir", "run_name", "work_dir", "model_dir", "name",
        ], "a run's folder is --run DIR"
      ),
      (
        [
          "dataset", "data_dir", "data_path", "dataset_dir", "data_root", "root", "input", "input_dir",
          "train_data",
        ],
        "the data folder is --data DIR"
      ),
      (
        ["cfg", "conf", "config_file", "config_path", "recipe", "yaml"],
        "a configuration is --config FILE or NAME"
      ),
      (
        [
          "model", "ckpt", "ckpt_path", "checkpoint_path", "load", "pretrained", "init_from", "model_path",
          "init",
        ],
        "weights are --weights FILE, those of a run --run DIR"
      ),
      (
        ["resume_from", "resume_from_checkpoint", "resume_path", "continue", "auto_resume", "restart"],
        "a run goes on with --run DIR --resume"
      ),
      (["out", "out_file", "output_file", "csv", "submission"], "a result's file is --output FILE"),
      (
        ["fp16", "bf16", "amp", "precision", "mixed_precision", "half"],
        "numbers are float32; --set train.exchange=bf16 halves what processes send"
      ),
      (
        ["dryrun", "check", "noop", "fast_dev_run"], "'train --dry-run' checks everything and writes nothing"
      ),
    ]
    return Dictionary(answers.flatMap { answer in answer.names.map { ($0, answer.answer) } }) { first, _ in
      first
    }
  }()

  /// The message for a command line that cannot be read, if it has something in it that other programs know.
  func advice() -> String? {
    for (index, argument) in arguments.enumerated() {
      if argument == "--" { return nil }
      guard argument.hasPrefix("-") else {
        if index > 0, isStray(index), let option = Self.option(for: argument), takes(option) {
          return "Unexpected argument '\(argument)': did you mean '\(option) \(argument)'?"
        }
        continue
      }
      let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
      guard let option = parts.first, !takes(option) else { continue }
      let next = index + 1 < arguments.count ? arguments[index + 1] : "-"
      let value = parts.count > 1 ? parts[1] : next.hasPrefix("-") ? nil : next
      let name = option.drop { $0 == "-" }.lowercased().replacing("-", with: "_")
      if let answer = answer(to: name, value) { return "there is no option \(option): \(answer)" }
    }
    return nil
  }

  private func answer(to name: String, _ value: String?) -> String? {
    // pack has no keys of training.
    let hasKeys = takes("--set") && arguments.first != "pack"
    if hasKeys, FamiliarName.isEpochs(name) { return epochs(value) }
    if let answer = Self.options[name] { return answer }
    return hasKeys ? FamiliarName.adviceForFlag(name, value: value) : nil
  }

  /// The message for `--set epochs=10`, which with the data at hand can say how many steps they are.
  func adviceForKeys() -> String? {
    for override in values(of: "--set") {
      let parts = override.split(separator: "=", maxSplits: 1).map(String.init)
      guard let name = parts.first, FamiliarName.isEpochs(name) else { continue }
      return "--set \(override): unknown key '\(name)': \(epochs(parts.count > 1 ? parts[1] : nil))"
    }
    return nil
  }

  private func epochs(_ count: String?) -> String {
    FamiliarName.adviceForEpochs(
      count.flatMap(Double.init), data: values(of: "--data").last,
      configurationFiles: values(of: "--config"), overrides: values(of: "--set"))
  }

  /// Whether that is an option of the command.
  private func takes(_ option: String) -> Bool {
    help.split { !($0.isLetter || $0.isNumber || $0 == "-") }.contains { $0 == option }
  }

  /// Whether the word there is no option's value.
  private func isStray(_ index: Int) -> Bool {
    let before = arguments[index - 1]
    return !before.hasPrefix("--") || before.contains("=")
  }

  private func values(of option: String) -> [String] {
    arguments.enumerated().compactMap { index, argument in
      if argument.hasPrefix("\(option)=") { return String(argument.dropFirst(option.count + 1)) }
      return argument == option && index + 1 < arguments.count ? arguments[index + 1] : nil
    }
  }
}
