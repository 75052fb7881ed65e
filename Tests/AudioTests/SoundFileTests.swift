import Audio
import Diagnostics
import Foundation
import TestSupport
import Testing

@Suite("A sound file")
struct SoundFileTests {
  let folder = TemporaryFolder()

  @Test("is told by its bytes and not by its name")
  func names() throws {
    let bytes = WaveBytes(.integer16, [16_384]).bytes
    for name in ["a.mp3", "b.flac", "c.gsm", "d", "e.m4a"] {
      #expect(try decode(folder.write(bytes, to: name)).samples == [0.5])
    }
  }

  @Test(
    "of a kind that is not read is refused with what it is and the remedy",
    arguments: [
      ("\0\0\0\u{20}ftypM4A isom", "is MP4 (m4a, AAC), which is not read; scripts/convert-m4a"),
      ("ADIF1234", "is AAC, which is not read; scripts/convert-m4a"),
      ("FORM\0\0\0\u{20}AIFFCOMM", "is AIFF, which is not read; convert it: ffmpeg"),
      ("#!AMR\n123456", "is AMR, which is not read; convert it: ffmpeg"),
      ("#!AMR-WB\n12345", "is AMR"), ("RIFF\0\0\0\0AVI LIST", "is RIFF, but no WAV"),
      (".snd\0\0\0\u{18}", "is AU"), ("caff\0\u{1}\0\0", "is CAF"), ("NIST_1A\n   1024\n", "is NIST SPHERE"),
      ("<!DOCTYPE html>", "is a web page, as a failed download"), ("<html><body>", "is a web page"),
      ("version https://git-lfs.github.com/spec/v1", "only points to a file in Git LFS"),
      ("PK\u{3}\u{4}\u{14}", "is an archive"), ("hello", "is no sound that is read, which are WAV, FLAC"),
      ("R", "is no sound"),
      ("OggS", "is Ogg that begins with no packet of Vorbis or Opus"),
    ])
  func kinds(_ text: String, _ words: String) throws {
    let path = try folder.write(text)
    expectFailure(saying: words) { try decode(path, truncated: .accept) }
  }

  @Test(
    "of bytes that are AAC, Matroska or WMA is refused by name",
    arguments: [
      ([0xFF, 0xF1, 0x50, 0x80], "is AAC"), ([0xFF, 0xF9, 0x50, 0x80], "is AAC"),
      ([0x1A, 0x45, 0xDF, 0xA3], "is Matroska or WebM"), ([0x30, 0x26, 0xB2, 0x75], "is WMA"),
      ([0x1F, 0x8B, 8, 0], "is an archive"), ([0xD1, 0xC3, 0x5F], "is no sound"),
      (Array("ID3\u{4}\0\0\0\0\0\u{2}ab".utf8) + [0xFF, 0xF1, 0x50, 0x80], "is AAC"),
    ])
  func otherBytes(_ bytes: [UInt8], _ words: String) throws {
    let path = try folder.write(bytes)
    expectFailure(saying: words) { try decode(path) }
  }

  @Test("that is a folder, a pipe, a device, empty or missing is one line, and nothing is waited for")
  func noFiles() throws {
    let pipe = folder("pipe")
    #expect(mkfifo(pipe, 0o600) == 0)
    expectFailure(saying: "is a pipe") { try decode(pipe) }
    expectFailure(saying: "is a folder") { try decode(folder.path) }
    expectFailure(saying: "is a device") { try decode("/dev/zero") }
    expectFailure(saying: "is empty, where a sound is needed") { try decode(folder.write("")) }
    expectFailure(.missingInput, saying: "no such file") { try decode(folder("none.wav")) }
  }
}
