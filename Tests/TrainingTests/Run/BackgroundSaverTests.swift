import Diagnostics
import Dispatch
import Foundation
import Synchronization
import TensorFiles
import TestSupport
import Testing
import Training

@Suite struct BackgroundSaverTests {
  let folder = TemporaryFolder()
  let saver = BackgroundSaver()

  func checkpoint(_ step: Int) -> Checkpoint {
    let values = (0..<300_000).map { Float($0 ^ step) }
    let tensors = NamedTensors([("weight", Tensor(float32: values, shape: [300_000]))])
    return Checkpoint(
      progress: RunProgress(step: step, configuration: Configuration()), model: tensors, optimizer: tensors)
  }

  @Test("a save goes on while its caller does") func beside() throws {
    let written = Atomic(false)
    let mayWrite = DispatchSemaphore(value: 0)
    saver.save(step: 1) {
      mayWrite.wait()
      written.store(true, ordering: .relaxed)
    }
    // The file is not written yet, and still the caller is here.
    let isEarly = written.load(ordering: .relaxed)
    #expect(!isEarly)
    mayWrite.signal()
    try saver.finish()
    let isThere = written.load(ordering: .relaxed)
    #expect(isThere)
  }

  @Test("a later step's save waits for the earlier one, and all are done in order") func order() throws {
    let running = Atomic(0)
    let order = Mutex<[Int]>([])
    for step in 0..<200 {
      for part in 0..<2 {
        saver.save(step: step) {
          let now = running.wrappingAdd(1, ordering: .relaxed).newValue
          #expect(now == 1)
          order.withLock { $0.append(2 * step + part) }
          running.wrappingSubtract(1, ordering: .relaxed)
        }
      }
      // Of the steps before this one, everything has been written.
      #expect(order.withLock { $0.count } >= 2 * step)
    }
    try saver.finish()
    #expect(order.withLock { $0 } == Array(0..<400))
  }

  @Test("a save on its way is whole after the run has stopped") func stop() throws {
    let store = CheckpointStore(run: folder.path, keep: 2)
    let pieces = Atomic(0)
    for step in [10, 20, 30] {
      let checkpoint = checkpoint(step)
      saver.save(step: step) {
        try store.save(checkpoint, advance: { pieces.wrappingAdd(1, ordering: .relaxed) })
      }
    }
    try saver.finish()
    #expect(store.steps == [20, 30])
    for step in [20, 30] { #expect(try store.read(step: step) == checkpoint(step)) }
    #expect(!folder.contents.contains { $0.contains("/.") })
    #expect(pieces.load(ordering: .relaxed) >= 6)
  }

  @Test("after a failure nothing more is written, and it is told every time") func failed() throws {
    let store = CheckpointStore(run: folder.path, keep: 3)
    let (first, third) = (checkpoint(10), checkpoint(30))
    saver.save(step: 10) { try store.save(first) }
    saver.save(step: 20) { throw Failure(.inputOutput, "model.safetensors: No space left on device") }
    saver.save(step: 30) { try store.save(third) }
    for _ in 0..<2 {
      #expect(throws: Failure(.inputOutput, "model.safetensors: No space left on device")) {
        try saver.finish()
      }
    }
    #expect(saver.hasFailed)
    #expect(store.steps == [10])
    #expect(try store.read(step: 10) == first)
  }
}
