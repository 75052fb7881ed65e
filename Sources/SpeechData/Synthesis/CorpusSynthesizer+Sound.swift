import Audio
import Diagnostics
import TensorFiles

// VoxCeleb's layout, and MUSAN's and RIRS_NOISES' beside it: 16 kHz, 16 bits, one channel.

/// A corpus as sound: `wav/id10001/VIDEO/00001.wav` to train on, `test/wav/…` of the same speakers, and
/// `veri_test.txt`, a list of trials among those; `musan/{music,noise,speech}/…` and
/// `RIRS_NOISES/simulated_rirs/{small,medium,large}room/…`.
extension CorpusSynthesizer {
  /// The name of a speaker in VoxCeleb: id10001, id10002, ….
  func voxCelebName(_ speaker: Int) -> String { "id\(10_001 + speaker)" }

  /// How many speakers have such a name.
  static let mostVoxCelebSpeakers = 89_999

  /// What is written beside the utterances.
  enum Extra: Sendable {
    case scene(SoundScene)
    case response(RoomResponse.Size, room: Int, place: Int)

    var path: String {
      switch self {
      case .scene(let scene):
        // Two sources of each kind, as the folders have more than one.
        let sources: [String] =
          switch scene.kind {
          case .music: ["fma", "jamendo"]
          case .noise: ["free-sound", "sound-bible"]
          case .speech: ["librivox", "us-gov"]
          }
        let source = sources[scene.number / 4 % 2], kind = scene.kind.rawValue
        return "musan/\(kind)/\(source)/\(kind)-\(source)-\(padded(scene.number, 4)).wav"
      case .response(let size, let room, let place):
        let name = "Room\(padded(room + 1, 3))"
        return "RIRS_NOISES/simulated_rirs/\(size.rawValue)room/\(name)/\(name)-\(padded(place + 1, 5)).wav"
      }
    }
  }

  /// More of them the larger the corpus is.
  var extras: [Extra] {
    let noises = min(max(trainingUtterances / 40, 4), 60)
    let rooms = min(max(trainingUtterances / 200, 2), 20)
    let scenes = SoundScene.Kind.allCases.flatMap { kind in
      (0..<(kind == .noise ? noises : noises / 2)).map { Extra.scene(SoundScene(kind: kind, number: $0)) }
    }
    return scenes
      + RoomResponse.Size.allCases.flatMap { size in
        (0..<rooms).flatMap { room in (0..<4).map { Extra.response(size, room: room, place: $0) } }
      }
  }

  /// The path of an utterance from its speaker's folder on, as lists of trials have it.
  func voxCelebPath(_ number: Int) -> String {
    let isTest = number >= trainingUtterances
    let key = key(number)
    // Four utterances a video; those to test have one each.
    let position = isTest ? 0 : number / speakers % 4
    let first = isTest ? number : number - position * speakers
    let stream = SynthesisKey(seed: seed, speaker: key.speaker, utterance: first).stream(.video)
    let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    let video = String((0..<11).map { letters[stream.integer(below: letters.count, at: $0)] })
    return "\(voxCelebName(key.speaker))/\(video)/\(padded(position + 1, 5)).wav"
  }

  /// The path of a file of the corpus as sound.
  func soundPath(_ file: Int, _ extras: [Extra]) -> String {
    guard file < utterances.count else { return extras[file - utterances.count].path }
    return (file < trainingUtterances ? "wav/" : "test/wav/") + voxCelebPath(file)
  }

  /// A file of the corpus as sound.
  func sound(_ file: Int, _ extras: [Extra]) -> [UInt8] {
    guard file >= utterances.count else { return Self.wave(audio(file)) }
    switch extras[file - utterances.count] {
    case .scene(let scene): return Self.wave(scene.samples(seed: seed))
    case .response(let size, let room, let place):
      let kind = RoomResponse.Size.allCases.firstIndex(of: size)!
      return Self.wave(
        RoomResponse(
          size, room: SynthesisKey(seed: seed, speaker: kind, utterance: room * 1000 + 999),
          place: SynthesisKey(seed: seed, speaker: kind, utterance: room * 1000 + place)
        ).samples)
    }
  }

  /// The names and the texts of the lists.
  func soundLists() -> [(name: String, text: String)] {
    var lists: [(name: String, text: String)] = []
    for size in RoomResponse.Size.allCases {
      let lines = extras.compactMap { extra -> String? in
        guard case .response(size, let room, let place) = extra else { return nil }
        let id = "\(size.rawValue)-Room\(padded(room + 1, 3))"
        return "--rir-id \(id)-\(padded(place + 1, 5)) --room-id \(id) \(extra.path)\n"
      }
      lists.append(("RIRS_NOISES/simulated_rirs/\(size.rawValue)room/rir_list", lines.joined()))
    }
    let trials = trials
    return trials.isEmpty ? lists : lists + [("veri_test.txt", trials)]
  }

  /// Trials among the test utterances, half of them of one speaker, in VoxCeleb's form: `1|0 PATH PATH`.
  private var trials: String {
    var bySpeaker = [[Int]](repeating: [], count: speakers)
    for number in utterances.dropFirst(trainingUtterances) { bySpeaker[key(number).speaker].append(number) }
    let all = bySpeaker.joined().map(\.self)
    var draws = SynthesisKey(seed: seed, speaker: 0, utterance: 0).draws(.trials)
    var lines = "", begin = 0
    for own in bySpeaker {
      defer { begin += own.count }
      guard own.count > 1, own.count < all.count else { continue }
      for (position, number) in own.enumerated() {
        // Two speak to each other in one trial alone.
        guard own.count > 2 || position == 0 else { continue }
        let path = voxCelebPath(number)
        lines += "1 \(path) \(voxCelebPath(own[(position + 1) % own.count]))\n"
        let other = draws.integer(below: all.count - own.count)
        lines += "0 \(path) \(voxCelebPath(all[other < begin ? other : other + own.count]))\n"
      }
    }
    return lines
  }

  /// A WAV file of samples at 16 kHz: 16 bits, one channel.
  private static func wave(_ samples: [Float]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(44 + 2 * samples.count)
    func append<Value: FixedWidthInteger>(_ value: Value) {
      withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
    bytes += "RIFF".utf8
    append(UInt32(36 + 2 * samples.count))
    bytes += "WAVEfmt ".utf8
    append(UInt32(16))
    append(UInt16(1))
    append(UInt16(1))
    append(UInt32(LogMel.sampleRate))
    append(UInt32(2 * LogMel.sampleRate))
    append(UInt16(2))
    append(UInt16(16))
    bytes += "data".utf8
    append(UInt32(2 * samples.count))
    for sample in samples { append(Int16(min(max((sample * 32_768).rounded(), -32_768), 32_767))) }
    return bytes
  }
}

/// A number with zeros before it.
private func padded(_ number: Int, _ digits: Int) -> String {
  let text = String(number)
  return String(repeating: "0", count: max(0, digits - text.count)) + text
}
