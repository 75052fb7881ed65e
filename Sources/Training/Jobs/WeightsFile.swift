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

  /// Reads weights under their names.
  ///
  /// - Throws: `missingInput`, `badData` or `inputOutput` with the file, `usage` for an unknown suffix.
  public static func read(_ path: String) throws -> NamedTensors {
    switch try Kind(of: path) {
    case .safetensors: try Safetensors.read(path: path)
    case .torch: try TorchFile.readStateDict(path: path)
    }
  }

  /// Reads the weights of a model: as ``read(_:)``, without the `module.` that `DataParallel` puts before each name.
  public static func readModel(_ path: String) throws -> NamedTensors {
    let weights = try read(path)
    let wrapper = "module."
    guard !weights.isEmpty, weights.names.allSatisfy({ $0.hasPrefix(wrapper) }) else { return weights }
    return NamedTensors(
      weights.map { (String($0.name.dropFirst(wrapper.count)), $0.tensor) }, metadata: weights.metadata)
  }

  /// Writes weights, atomically; a PyTorch file gets shared ones under each of their names.
  public static func write(_ weights: NamedTensors, to path: String, kind: Kind) throws {
    switch kind {
    case .safetensors: try Safetensors.write(weights, to: path)
    case .torch: try TorchFile.writeStateDict(weights.repeatingShared(), to: path)
    }
  }
}
