import SpeakerNet

/// How the flat gradient is cut for the exchange: runs of whole parameters or of thirds of them, the last layers'
/// first.
///
/// The backward pass finishes the flat buffer from its end, so bucket 0 can be under way while the layers before it
/// are still computed. Only the last bucket has nothing left to hide behind.
package struct GradientBuckets: Sendable {
  /// Large enough for its bytes to count more than the messages' latency, small enough to go out early.
  package static let leastFloats = PassWatch.leastFloats
  /// Parts of a large parameter: those that attention's packed projection is finished in.
  private static let mostParts = 3

  /// Elements of each bucket, from the end of the buffer to its start.
  let ranges: [Range<Int>]

  /// One bucket with everything.
  init(whole count: Int) { ranges = [0..<count] }

  /// Buckets of at least `leastFloats`; less than two of them are one.
  init(_ layout: ParameterLayout, leastFloats: Int = Self.leastFloats) {
    let starts = layout.entries.filter(\.isTrained).flatMap { entry in
      let parameter = entry.parameter
      let parts = max(1, min(Self.mostParts, parameter.count / leastFloats))
      return (0..<parts).map {
        parameter.offset + parameter.rows($0, of: parts).lowerBound * parameter.columns
      }
    }
    var ranges: [Range<Int>] = []
    var end = layout.trainedCount
    if end >= 2 * leastFloats {
      for start in starts.reversed() where end - start >= leastFloats {
        ranges.append(start..<end)
        end = start
      }
    }
    // What is left at the front is small, but the one bucket that nothing hides: it stays by itself.
    if end > 0 || ranges.isEmpty { ranges.append(0..<end) }
    self.ranges = ranges
  }
}
