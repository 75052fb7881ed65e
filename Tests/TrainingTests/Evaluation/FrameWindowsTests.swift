import TestSupport
import Testing

import Training

@Suite("Windows over the frames of a recording")
struct FrameWindowsTests {
  private func windows(_ frames: Int, length: Int, bands: Int, _ chunk: () -> Int) -> [[Float]] {
    var windows = FrameWindows(length: length, bands: bands)
    let all = (0..<frames * bands).map(Float.init)
    var found: [[Float]] = []
    var start = 0
    while start < frames {
      let end = min(frames, start + max(1, chunk()))
      windows.push(all[(start * bands)..<(end * bands)]) { found.append(Array($0)) }
      start = end
    }
    windows.finish { found.append(Array($0)) }
    return found
  }

  @Test("hold every frame once and in order, none too long or short, however the frames come")
  func property() {
    var random = SeededGenerator(seed: 3)
    for frames in 1...400 {
      let length = Int.random(in: 2...60, using: &random), bands = Int.random(in: 1...3, using: &random)
      let atOnce = windows(frames, length: length, bands: bands) { frames }
      #expect(atOnce.flatMap(\.self) == (0..<frames * bands).map(Float.init))
      let counts = atOnce.map { $0.count / bands }
      #expect(counts.allSatisfy { $0 <= length })
      if frames > length {
        #expect(counts.allSatisfy { 2 * $0 >= length })
      } else {
        #expect(counts == [frames])
      }
      let chunks = windows(frames, length: length, bands: bands) { Int.random(in: 1...90, using: &random) }
      #expect(chunks == atOnce)
      #expect(windows(frames, length: length, bands: bands) { 1 } == atOnce)
    }
  }

  @Test("are where docs/formats.md says")
  func places() {
    func counts(_ frames: Int) -> [Int] { windows(frames, length: 10, bands: 1) { frames }.map(\.count) }
    #expect(counts(0) == [])
    #expect(counts(10) == [10])
    #expect(counts(11) == [6, 5])
    #expect(counts(14) == [7, 7])
    #expect(counts(15) == [10, 5])
    #expect(counts(20) == [10, 10])
    #expect(counts(24) == [10, 7, 7])
    #expect(counts(25) == [10, 10, 5])
  }
}
