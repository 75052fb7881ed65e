import Collectives
import Foundation
import TensorCore

/// What the ranks compute with, and whether it is the same and the best they have.
package struct KernelReport {
  /// One name a rank.
  package let names: [String]

  /// Starts OpenBLAS and asks every rank. Collective.
  package init<C: Communicator>(_ group: C) throws {
    KernelSet.start()
    names = try group.allGather(text: KernelSet.name)
  }

  /// Says which kernels are in use; warns, once, of ranks that differ and of kernels that were forced.
  package func show(on console: Console) {
    guard console.talks else { return }
    console.info("Computing with \(names[0])")
    if let forced = KernelSet.measureForcedKernels(), forced.factor > 1.05 {
      console.warning(
        "OPENBLAS_CORETYPE forces \(forced.forced) kernels; this processor's own (\(forced.own)) are "
          + String(format: "%.1f", forced.factor) + " times as fast in large products: unset it")
    }
    let others = names.indices.filter { names[$0] != names[0] }
    guard !others.isEmpty else { return }
    let kinds = Set(others.map { names[$0] }).sorted().joined(separator: "; ")
    console.warning(
      "ranks \(others.map(String.init).joined(separator: ", ")) compute with other kernels (\(kinds)): the run goes"
        + " on, but its last bits are those of this mixture")
  }
}
