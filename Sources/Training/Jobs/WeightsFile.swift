import Collectives
import Diagnostics
import TensorFiles

/// Files of weights, told apart by their suffix.
public enum WeightsFile {
  /// The two kinds.
  public enum Kind: Sendable {
    /// `.safetensors`
    case safetensors
    /// `.pt`, `.pth` or `.ckpt`: a state dict as `torch.save` writes it.
    case torch

    /// - Throws: `usage` for another suffix.
    public init(of path: String) throws {
      let name = path.split(separator: "/").last ?? ""
      switch name.split(separator: ".").dropFirst().last?.lowercased() {
      case "safetensors": self = .safetensors
      case "pt", "pth", "ckpt": self = .torch
      default:
        throw Failure(.usage, "\(path): expected a file name that ends in .safetensors, .pt, .pth or .ckpt")
      }
    }
  }

  /// Opens a file of weights, under their names in it.
  ///
  /// - Throws: `missingInput`, `badData` or `inputOutput` with the file, `usage` for an unknown suffix.
  public static func open(_ path: String) throws -> TensorFile {
    switch try Kind(of: path) {
    case .safetensors: try Safetensors.open(path: path)
    case .torch: try TorchFile.openStateDict(path: path)
    }
  }

  /// Opens the weights of a network: as ``open(_:)``, without what trainers put before and into the names of the
  /// network they wrap (`model.`, `module.`, `_orig_mod.`), where that is what makes the names fit.
  ///
  /// - Parameter output: the network's last layer, by which its names are known.
  public static func openModel(_ path: String, output: String) throws -> TensorFile {
    let file = try open(path).renamed(withoutWrappers)
    let last = "\(output).weight"
    guard file.description(of: last) == nil else { return file }
    let prefixes = file.names.filter { $0.hasSuffix(".\(last)") }.map { $0.dropLast(last.count) }
    guard let prefix = prefixes.first else { return file }
    guard prefixes.count == 1 else {
      throw Failure(
        .badData,
        "\(path): holds several networks, under \(prefixes.map { String($0).quoted }.joined(separator: ", ")): "
          + "save the state dict of one")
    }
    return file.renamed { $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : nil }
  }

  /// A name without the parts that PyTorch's wrappers put anywhere into it: `torch.compile`, FSDP and checkpointed
  /// activations.
  private static func withoutWrappers(_ name: String) -> String {
    let wrappers: Set<Substring> = ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"]
    return name.split(separator: ".", omittingEmptySubsequences: false).filter { !wrappers.contains($0) }
      .joined(separator: ".")
  }

  /// Writes weights, atomically; a PyTorch file gets shared ones under each of their names.
  public static func write(_ weights: some TensorSource, to path: String, kind: Kind) throws {
    switch kind {
    case .safetensors: try Safetensors.write(weights, to: path)
    case .torch: try TorchFile.writeStateDict(weights, to: path)
    }
  }
}

/// The options of `convert`, and the work: weights between safetensors and PyTorch files.
public struct ConvertJob: Job {
  /// The file to read, `.safetensors`, `.pt` or `.ckpt`.
  public var input: String
  /// The file to write, of another or the same kind.
  public var output: String

  /// Converts `input` to `output`, by their suffixes.
  public init(input: String, output: String) {
    self.input = input
    self.output = output
  }

  /// Converts, on rank 0. Names, shapes, types and values are kept; a PyTorch file repeats shared weights, as
  /// PyTorch itself does.
  public func run<C: Communicator>(_ communicator: C, console: Console) throws {
    _ = try communicator.onRankZero {
      let kind = try WeightsFile.Kind(of: output)
      guard !FileWriting.isSameFile(input, output) else {
        throw Failure(.usage, "\(output) is the file to read: give the file to write another name")
      }
      try FileSystem.checkWritable(output)
      let weights = try WeightsFile.open(input)
      try WeightsFile.write(weights, to: output, kind: kind)
      console.info("Wrote \(weights.names.count) tensors to \(output).")
    }
  }
}
