// What scripts/measure-sound runs: the best of several rounds of each, in the time of one thread's processor.
import Audio
import Foundation
import Glibc

/// Milliseconds of the thread's processor, the best of `rounds`.
func milliseconds(_ rounds: Int, _ body: () throws -> Void) rethrows -> Double {
  func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) * 1e-6
  }
  var best = Double.infinity
  for _ in 0..<rounds {
    let start = now()
    try body()
    best = min(best, now() - start)
  }
  return best
}

func report(_ name: String, _ value: Double) { print("\(name)\t\(value)") }

// 200 frames of 25 ms, 10 ms apart, as WeSpeaker crops; a room of half a second.
let crop = (0..<32_240).map { Float(sin(Double($0 * $0 % 7_919))) * 0.3 }
let response = (0..<8_000).map { Float(exp(-Double($0) / 1_500) * sin(Double($0 * 31 % 997))) }
let files = Array(CommandLine.arguments.dropFirst())

let reverberator = Reverberator(), convolver = Convolver()
for alignment in Reverberator.Alignment.allCases {
  report(
    "reverberation, alignment \(alignment.rawValue), ms",
    milliseconds(50) {
      var samples = crop
      reverberator.reverberate(&samples, response, alignment)
    })
}
report(
  "two notches, ms",
  milliseconds(50) {
    var samples = crop
    NotchFilter([(0.2, 0.05), (0.5, 0.05)])(&samples, convolver)
  })
let speed = Resampler(from: 1_100, to: 1_000)
report("speed 1.1, ms", milliseconds(50) { _ = speed(crop) })
let clips = SoundClips(AudioSettings())
report(
  "a clip of noise out of \(files[0]), read, ms",
  try milliseconds(50) {
    _ = try clips.clip(of: files[0], count: crop.count) { $0 / 2 }
  })
for path in files {
  var seconds = 0.0
  let time = try milliseconds(5) {
    var file = try SoundFile(path: path)
    var frames = 0
    let block = UnsafeMutableBufferPointer<Float>.allocate(capacity: 16_384 * file.channels)
    defer { block.deallocate() }
    while case let count = try file.read(into: block), count > 0 { frames += count }
    seconds = Double(frames) / Double(file.rate)
  }
  report("\(path), times real time", seconds / time * 1e3)
}
