/// What is drawn for sound alone.
extension AugmentationDraws {
  /// From `Place.sound` on; two for each notch and for each silenced stretch.
  private enum SoundPlace {
    static let room = Place.sound, notches = Place.sound + 1, chunks = Place.sound + 2
    static let notch = Place.sound + 16, chunk = Place.sound + 128
  }

  /// Which of `count` rooms.
  package func room(of count: Int) -> Int { stream.integer(below: count, at: SoundPlace.room) }

  /// The notches: where, and how wide, both of half the sampling rate.
  package var notches: [(place: Double, width: Double)] {
    let count = settings.dropFrequency.count, widths = settings.dropFrequency.size
    return (0..<count.lowerBound + stream.integer(below: count.count, at: SoundPlace.notches)).map { index in
      let place = SoundPlace.notch + 2 * index
      let width = Double(stream.uniform(at: place + 1)) * (widths.upperBound - widths.lowerBound)
      return (Double(stream.uniform(at: place)), widths.lowerBound + width)
    }
  }

  /// The stretches of `samples` that are silenced, each wherever it fits.
  package func chunks(of samples: Int) -> [Range<Int>] {
    let count = settings.dropChunk.count
    let sizes = Int(settings.dropChunk.size.lowerBound)...Int(settings.dropChunk.size.upperBound)
    return (0..<count.lowerBound + stream.integer(below: count.count, at: SoundPlace.chunks)).map { index in
      let place = SoundPlace.chunk + 2 * index
      let size = min(sizes.lowerBound + stream.integer(below: sizes.count, at: place), samples)
      let start = stream.integer(below: samples - size + 1, at: place + 1)
      return start..<start + size
    }
  }
}
