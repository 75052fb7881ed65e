import Collectives
import MPITransport

/// Times one exchange of the optimizer's step: every rank's root summed in tree order to slices, the slices gathered,
/// against the transport's own all-reduce of the same floats. Medians over the slowest rank of each repetition.
func benchmark<C: Communicator>(_ group: C, shards: Int = 8) throws {
  let speaks = group.rank == 0
  if speaks {
    printLine("\(group.size) ranks, \(shards) shards, \(C.self); median ms of reduction + gather")
    printLine("      MB   ordered  reduce  gather   allreduce")
  }
  for megabytes in [0.004, 0.5, 7.6, 35] {
    let count = Int(megabytes * 1e6 / 4)
    let ownership = ShardOwnership(shards: shards, ranks: group.size)
    let reduction = try OrderedReduction(group, ownership: ownership, range: 0..<count)
    let roots = reduction.localRoots.map { _ in floats(count) }
    let rootPointers = roots.map { UnsafePointer($0) }
    let parameters = floats(count)
    let gradients = UnsafeMutableBufferPointer(start: floats(count), count: count)
    defer {
      for memory in roots + [parameters, gradients.baseAddress].compactMap({ $0 }) { memory.deallocate() }
    }

    let repetitions = megabytes < 1 ? 400 : megabytes < 10 ? 100 : 40
    var times = Times()
    for _ in 0..<repetitions {
      try group.barrier()
      let start = ContinuousClock.now
      try reduction.start(roots: rootPointers)
      try reduction.finish(into: parameters + reduction.slice.lowerBound)
      let reduced = ContinuousClock.now
      try reduction.startGather(parameters)
      try reduction.finishGather()
      let gathered = ContinuousClock.now
      try group.barrier()
      let before = ContinuousClock.now
      try group.allReduceSum(gradients)
      let after = ContinuousClock.now
      try times.add(
        ordered: slowest(group, gathered - start), reduce: slowest(group, reduced - start),
        gather: slowest(group, gathered - reduced), allReduce: slowest(group, after - before))
      for index in 0..<count { gradients[index] = 1 }
    }
    if speaks {
      printLine(
        padded(megabytes, 8) + padded(times.ordered, 10) + padded(times.reduce, 8) + padded(times.gather, 8)
          + padded(times.allReduce, 12))
    }
  }
}

/// Times the additions alone, on one thread: bytes read and written a second, beside those of a copy.
func benchmarkTreeSum() {
  let count = 8_000_000
  let pieces = (0..<8).map { _ in UnsafePointer(floats(count)) }
  let output = floats(count)
  let gigabytesPerSecond = { (streams: Int, body: () -> Void) in
    let best = (0..<12).map { _ in ContinuousClock().measure(body) }.min() ?? .zero
    return Double(streams * count * 4) / Double(best.components.attoseconds) * 1e9
  }
  printLine(
    "copy" + padded(gigabytesPerSecond(2) { output.update(from: pieces[0], count: count) }, 10) + " GB/s")
  for number in [2, 3, 4, 5, 8] {
    let sum = TreeSum(of: (0..<number).map { $0..<$0 + 1 }, in: ShardTree(shards: number))
    let speed = gigabytesPerSecond(number + 1) {
      pieces.withUnsafeBufferPointer { sum($0.baseAddress!, count: count, into: output) }
    }
    printLine("sum of \(number)" + padded(speed, 7) + " GB/s")
  }
  for memory in pieces { memory.deallocate() }
  output.deallocate()
}

/// Milliseconds of each repetition.
private struct Times {
  private var samples: [[Double]] = [[], [], [], []]

  mutating func add(ordered: Double, reduce: Double, gather: Double, allReduce: Double) {
    for (index, time) in [ordered, reduce, gather, allReduce].enumerated() { samples[index].append(time) }
  }

  var ordered: Double { median(0) }
  var reduce: Double { median(1) }
  var gather: Double { median(2) }
  var allReduce: Double { median(3) }

  private func median(_ index: Int) -> Double { samples[index].sorted()[samples[index].count / 2] }
}

/// The longest of all ranks' durations, in milliseconds.
private func slowest<C: Communicator>(_ group: C, _ duration: Duration) throws -> Double {
  let attoseconds = duration.components.attoseconds + duration.components.seconds * 1_000_000_000_000_000_000
  return Double(try group.allGather(attoseconds).max() ?? 0) * 1e-15
}

private func floats(_ count: Int) -> UnsafeMutablePointer<Float> {
  let memory = UnsafeMutableRawPointer.allocate(byteCount: count * 4, alignment: 64)
    .bindMemory(to: Float.self, capacity: count)
  memory.initialize(repeating: 1, count: count)
  return memory
}

private func padded(_ value: Double, _ width: Int) -> String {
  let text = String((value * 1000).rounded() / 1000)
  return String(repeating: " ", count: max(0, width - text.count)) + text
}
