import Diagnostics

// By the first bytes alone: a name says what somebody hoped for.
extension SoundFile.Kind {
  /// The kind of file that some bytes are, and how many bytes of tags are before it.
  ///
  /// - Throws: `.badData` for what is not read, saying what it is and how it can be made to be read.
  static func find(in bytes: SoundBytes) throws(Failure) -> (kind: Self, offset: Int) {
    var head = try bytes.bytes(at: 0, atMost: Self.headBytes)
    var tags = 0
    var offset = 0
    // Tags stand before MP3, and now and then before FLAC and AAC.
    while head.has("ID3"), head.count >= 10, tags < Self.mostTags {
      tags += 1
      offset += 10 + head[6..<10].reduce(0) { $0 << 7 | Int($1 & 0x7F) } + (head[5] & 0x10 != 0 ? 10 : 0)
      head = try bytes.bytes(at: offset, atMost: Self.headBytes)
    }
    switch true {
    case ["RIFF", "RF64", "BW64"].contains(where: { head.has($0) }) && head.has("WAVE", at: 8) && tags == 0:
      return (.wav, 0)
    case head.has("fLaC"): return (.flac, offset)
    case head.has("OggS") && tags == 0: return (try ofOgg(head, bytes.path), 0)
    case isMPEG(head): return (.mp3, offset)
    default:
      // Behind a tag there may be stuffing that libmpg123 gets over.
      guard let other = refused(head) ?? (tags > 0 && !head.isEmpty ? nil : unknown) else {
        return (.mp3, offset)
      }
      throw Failure(.badData, "\(bytes.path): \(other)")
    }
  }

  private static let headBytes = 300
  private static let mostTags = 8

  /// A frame's header of MPEG 1, 2 or 2.5, layer II or III, with a bit rate and a sampling rate that exist.
  private static func isMPEG(_ head: [UInt8]) -> Bool {
    head.count >= 4 && head[0] == 0xFF && head[1] & 0xE0 == 0xE0 && head[1] & 0x18 != 0x08
      && ![0, 6].contains(head[1] & 0x06)
      && head[2] & 0xF0 != 0xF0 && head[2] & 0x0C != 0x0C
  }

  /// What the first packet of an Ogg stream says it is.
  private static func ofOgg(_ head: [UInt8], _ path: String) throws(Failure) -> Self {
    let packet = 27 + Int(head.count > 26 ? head[26] : 0)
    if head.has("\u{1}vorbis", at: packet) { return .vorbis }
    if head.has("OpusHead", at: packet) { return .opus }
    let what =
      switch true {
      case head.has("\u{7F}FLAC", at: packet): "FLAC in Ogg"
      case head.has("Speex", at: packet): "Speex in Ogg"
      case head.has("\u{80}theora", at: packet), head.has("fishead", at: packet): "a film in Ogg"
      default: "Ogg that begins with no packet of Vorbis or Opus"
      }
    throw Failure(.badData, "\(path): is \(what), which is not read; \(conversion)")
  }

  private static let conversion = "convert it: ffmpeg -i IN -vn -c:a pcm_s16le OUT.wav"
  private static let unknown = "is no sound that is read, which are WAV, FLAC, Ogg Vorbis, Ogg Opus and MP3"

  /// What a file is that is not read, and the remedy; nil if nothing is known of it.
  private static func refused(_ head: [UInt8]) -> String? {
    let aac = "which is not read; scripts/convert-m4a makes WAV of a folder of them"
    if head.has("ftyp", at: 4) { return "is MP4 (m4a, AAC), \(aac)" }
    if head.count >= 2, head[0] == 0xFF, head[1] & 0xF6 == 0xF0 { return "is AAC, \(aac)" }
    if head.has("ADIF") { return "is AAC, \(aac)" }
    let others: [(offset: Int, magic: StaticString, name: String)] = [
      (0, "RIFX", "a WAV with the bytes of its numbers the other way round"),
      (0, "riff\u{2E}", "Wave64"), (0, "FORM", "AIFF"), (0, ".snd", "AU"), (0, "caff", "CAF"),
      (0, "NIST_1A", "NIST SPHERE"), (0, "#!AMR", "AMR"), (0, "wvpk", "WavPack"),
      (0, "MAC ", "Monkey's Audio"),
      (0, "TTA1", "True Audio"), (0, "MThd", "MIDI"), (0, "Creative Voice File", "a Creative voice file"),
      (0, "RIFF", "RIFF, but no WAV"),
    ]
    if let other = others.first(where: { head.has($0.magic, at: $0.offset) }) {
      return "is \(other.name), which is not read; \(conversion)"
    }
    if head.starts(with: [0x1A, 0x45, 0xDF, 0xA3]) {
      return "is Matroska or WebM, which is not read; \(conversion)"
    }
    if head.starts(with: [0x30, 0x26, 0xB2, 0x75]) { return "is WMA, which is not read; \(conversion)" }
    if head.has("PK\u{3}\u{4}") || head.starts(with: [0x1F, 0x8B]) || head.has("ustar", at: 257) {
      return "is an archive, where a sound is needed; unpack it"
    }
    if head.has("<!DOCTYPE") || head.has("<!doctype") || head.has("<html") {
      return "is a web page, as a failed download leaves it"
    }
    if head.has("version https://git-lfs") {
      return "only points to a file in Git LFS; fetch it: git lfs pull"
    }
    return nil
  }
}
