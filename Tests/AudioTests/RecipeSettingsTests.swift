import Audio
import Diagnostics
import Foundation
import TestSupport
import Testing

@Suite("The settings of a recipe")
struct RecipeSettingsTests {
  private static func random(_ random: inout SeededGenerator) -> (AudioSettings, FeatureSettings) {
    var audio = AudioSettings()
    var features = FeatureSettings()
    func maybe(_ change: () -> Void) { if Bool.random(using: &random) { change() } }
    maybe { audio.rate = [8_000, 16_000, 44_100].randomElement(using: &random)! }
    maybe { audio.bandwidth = 8_000 }
    maybe { audio.channel = .number(Int.random(in: 0..<16, using: &random)) }
    maybe { audio.peakDecibels = Double.random(in: -30...0, using: &random) }
    audio.trim = AudioSettings.Trim.allCases.randomElement(using: &random)!
    features.kind = FeatureSettings.Kind.allCases.randomElement(using: &random)!
    maybe { features.bands = Int.random(in: 1...1_024, using: &random) }
    maybe { features.lowHertz = Double.random(in: 0...300, using: &random) }
    maybe { features.highHertz = Double.random(in: 3_000...4_000, using: &random) }
    maybe { features.windowMilliseconds = 32 }
    maybe { features.hopMilliseconds = 12.5 }
    maybe { features.window = FeatureSettings.Window.allCases.randomElement(using: &random)! }
    maybe { features.preemphasis = Double.random(in: 0...1, using: &random) }
    maybe { features.dither = 1 }
    maybe { features.topDecibels = 80 }
    return (audio, features)
  }

  @Test("gives the settings again that make the same features")
  func settings() throws {
    var random = SeededGenerator(seed: 14)
    for _ in 0..<500 {
      let (audio, features) = Self.random(&random)
      let recipe = FeatureRecipe(audio, features)
      let again = try FeatureRecipe(text: recipe.text, from: "file").settings(from: "file")
      #expect(FeatureRecipe(again.audio, again.features) == recipe)
      #expect(
        FrontEndParameters(again.features, rate: again.audio.rate)
          == FrontEndParameters(features, rate: audio.rate))
      #expect(again.features.bandCount == features.bandCount)
    }
  }

  @Test(
    "that this program does not make is refused, by its key",
    arguments: [
      ("version", "2"), ("resampler", #""soxr""#), ("trim", #""webrtc""#), ("kind", #""librosa""#),
      ("bands", "0"),
      ("bands", "1025"), ("rate", "16000.5"), ("channel", #""left""#), ("window", "1"), ("hop_ms", "-1"),
      ("window_ms", "1e300"), ("low_hz", "null"), ("peak_db", "3"), ("dither", "[]"), ("unheard_of", "true"),
    ])
  func refused(key: String, value: String) throws {
    let recipe = FeatureRecipe(AudioSettings(), FeatureSettings())
    var text = recipe.text.replacing(try Regex("\"\(key)\": [^,}]*"), with: "\"\(key)\": \(value)")
    if text == recipe.text { text = text.dropLast() + ", \"\(key)\": \(value)}" }
    let changed = try FeatureRecipe(text: text, from: "file")
    expectFailure(saying: key) { try changed.settings(from: "file") }
  }

  @Test("is refused or makes features, whatever its bytes are")
  func fuzz() throws {
    let texts = FeatureSettings.Kind.allCases.map { kind in
      var features = FeatureSettings()
      features.kind = kind
      return FeatureRecipe(AudioSettings(), features).text
    }
    var random = SeededGenerator(seed: 15)
    var made = 0
    for trial in 0..<3_000 {
      var bytes = [UInt8](texts.randomElement(using: &random)!.utf8)
      if trial.isMultiple(of: 2) {
        bytes = bytes.mutated(using: &random)
      } else {
        // Other numbers.
        let digits = bytes.indices.filter { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[$0]) }
        bytes[digits.randomElement(using: &random)!] = UInt8.random(
          in: UInt8(ascii: "0")...UInt8(ascii: "9"), using: &random)
      }
      let text = String(decoding: bytes, as: UTF8.self)
      let found = failure {
        let settings = try FeatureRecipe(text: text, from: "file").settings(from: "file")
        _ = try FeatureExtractor(settings.audio, settings.features)
        made += 1
      }
      if let found {
        #expect([.badData, .usage].contains(found.kind) && !found.message.contains("\n"), "\(found)")
      }
    }
    #expect(made > 100)
  }
}
