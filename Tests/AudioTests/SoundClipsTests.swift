import Audio
import Diagnostics
import TestSupport
import Testing

@Suite("Clips of sound")
struct SoundClipsTests {
  let folder = TemporaryFolder()
  let audio = AudioSettings()

  /// Numbers that say where they are: frame n of channel c is (n + 1) / 4,096, plus c / 2.
  private func write(_ frames: Int, rate: Int = 16_000, channels: Int = 1) throws -> String {
    let values = (0..<frames * channels).map { n in
      Double((n / channels + 1) * 8 + (channels == 1 ? 0 : n % channels * 16_384))
    }
    return try folder.write(WaveBytes(.integer16, values, channels: channels, rate: rate).bytes)
  }

  private func ramp(_ frames: Range<Int>) -> [Float] { frames.map { Float($0 + 1) / 4_096 } }

  @Test("begin where they are told to, among all places there are")
  func places() throws {
    let path = try write(1_000)
    let clips = SoundClips(audio)
    for place in [0, 1, 500, 900] {
      let clip = try clips.clip(of: path, count: 100) { count in
        #expect(count == 901)
        return place
      }
      #expect(clip == ramp(place..<place + 100))
    }
  }

  @Test("of a sound that is too short repeat it, and nothing is chosen")
  func repeated() throws {
    let clip = try SoundClips(audio).clip(of: try write(30), count: 100) { _ in
      Issue.record("there is no choice")
      return 0
    }
    #expect(clip == (0..<100).map { ramp(0..<30)[$0 % 30] })
  }

  @Test("are the mean of the channels, a response the first one")
  func channels() throws {
    let path = try write(200, channels: 2)
    let clips = SoundClips(audio)
    let clip = try clips.clip(of: path, count: 200) { _ in 0 }
    #expect(clip == ramp(0..<200).map { $0 + 0.25 })
    #expect(try clips.response(of: path, atMost: 150) == ramp(0..<150))
    #expect(try clips.response(of: path, atMost: 1_000).count == 200)
  }

  @Test("come at the settings' rate, through their bandwidth")
  func rates() throws {
    var audio = AudioSettings()
    let path = try write(3_000, rate: 44_100)
    let clip = try SoundClips(audio).clip(of: path, count: 500) { _ in 100 }
    #expect(clip.count == 500)
    // Three frames of 44.1 kHz are about one of 16 kHz.
    let slope = (clip[400] - clip[100]) / 300 * 4_096
    #expect(abs(slope - 44_100 / 16_000) < 0.01)
    audio.bandwidth = 8_000
    let narrow = try SoundClips(audio).clip(of: path, count: 500) { _ in 100 }
    #expect(maximumDifference(Array(clip[100..<400]), Array(narrow[100..<400])) < 1e-3)
    #expect(clip != narrow)
  }

  @Test("of a sound whose length its header does not tell are counted")
  func untold() throws {
    let clips = SoundClips(audio)
    let path = SoundFixture.path("flac-streamed.flac")
    let whole = try decode(path).samples
    let clip = try clips.clip(of: path, count: 700) { count in
      #expect(count == whole.count - 699)
      return 5_000
    }
    #expect(clip == Array(whole[5_000..<5_700]))
    expectFailure(.missingInput, saying: "no such file") {
      try clips.clip(of: folder("none.wav"), count: 10) { _ in 0 }
    }
  }
}
