/// Cuts the frames of a recording into windows as they come, so that a network sees a long one in pieces of bounded size.
///
/// A recording of at most `length` frames is one window. Of a longer one windows of `length` are taken from its
/// beginning as long as half as many again are there; what then remains is one window, or two equal ones if it is longer
/// than that. So no window is shorter than half of `length`, and where they lie does not depend on how the frames come.
package struct FrameWindows {
  /// Frames of a window at most.
  let length: Int
  let bands: Int
  /// [frames, bands], not yet given.
  private var frames: [Float] = []

  package init(length: Int, bands: Int) {
    precondition(length > 1 && bands > 0, "no window")
    self.length = length
    self.bands = bands
  }

  /// Takes frames, [count, bands], and gives the windows that are certain.
  package mutating func push(_ more: ArraySlice<Float>, _ window: (ArraySlice<Float>) -> Void) {
    var more = more
    while !more.isEmpty {
      // No more than is needed to be certain of a window, however much comes at once.
      let room = (length + (length + 1) / 2) * bands - frames.count
      frames.append(contentsOf: more.prefix(room))
      more = more.dropFirst(room)
      guard frames.count == (length + (length + 1) / 2) * bands else { return }
      window(frames[..<(length * bands)])
      frames.removeFirst(length * bands)
    }
  }

  /// Gives the last windows.
  package mutating func finish(_ window: (ArraySlice<Float>) -> Void) {
    let count = frames.count / bands
    guard count > 0 else { return }
    let first = count <= length ? count : (count + 1) / 2
    window(frames[..<(first * bands)])
    if first < count { window(frames[(first * bands)...]) }
    frames.removeAll()
  }
}
