import Diagnostics
import Foundation
import TensorFiles
import Testing
import Training

/// Weights as other programs write them.
@Suite("Weights of a wrapped network") struct WeightsFileTests {
  private static let names = ["prenet.weight", "encoder.layers.0.norm.bias", "pred_layer.weight"]

  private func names(_ written: [String], ending: String = "safetensors") throws -> [String] {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weights-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("w.\(ending)").path
    let tensors = written.enumerated().map { ($1, Tensor(float32: [Float($0)], shape: [1])) }
    try WeightsFile.write(NamedTensors(tensors), to: path, kind: WeightsFile.Kind(of: path))
    return try WeightsFile.openModel(path, output: "pred_layer").names
  }

  @Test(
    "have the network's own names",
    arguments: [
      "", "module.", "model.", "_orig_mod.", "model._orig_mod.", "module._fsdp_wrapped_module.", "lit.net.",
    ])
  func prefixes(prefix: String) throws {
    #expect(try Set(names(Self.names.map { prefix + $0 })) == Set(Self.names))
    #expect(try names(Self.names.map { prefix + $0 }, ending: "ckpt") == Self.names)
  }

  @Test("also where the wrapper is in the middle, and something else beside it")
  func others() throws {
    #expect(
      try names(
        ["model.encoder._orig_mod.layers.0.norm.bias", "model.pred_layer.weight", "criterion.weight"],
        ending: "pt")
        == ["encoder.layers.0.norm.bias", "pred_layer.weight"])
    // Not the network that is asked for: its names stay, for the message that says so.
    #expect(try names(["model.other.weight"]) == ["model.other.weight"])
  }

  @Test("of two networks are not guessed at")
  func two() {
    #expect(throws: Failure.self) { try names(["student.pred_layer.weight", "teacher.pred_layer.weight"]) }
  }
}
