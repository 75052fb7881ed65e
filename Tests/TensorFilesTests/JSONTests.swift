import Diagnostics
import TensorFiles
import TestSupport
import Testing

private func parse(_ text: String) throws -> JSON { try JSON.parse(Array(text.utf8), name: "t.json") }

@Suite struct JSONReading {
  @Test("every kind of value is read as what it is") func kinds() throws {
    let json = try parse(#" {"a": [1, -2.5e3, true, false, null], "b": {"c": "x"}, "": []} "#)
    #expect(
      json == ["a": [1, .number(-2500), true, false, .null], "b": ["c": "x"], "": []])
    #expect(json["a"]?.array?[0].int == 1)
    #expect(json["a"]?.array?[0].double == 1)
    #expect(json["a"]?.array?[1].int == nil)
    #expect(json["a"]?.array?[2].bool == true)
    #expect(json["b"]?["c"]?.string == "x")
    #expect(json["missing"] == nil)
  }

  @Test("2000 keys keep their order and find their values") func order() throws {
    let keys = (0..<2000).map { "id\(($0 * 7919) % 2000)" }
    let text = "{" + keys.map { "\"\($0)\": \"\($0)\"" }.joined(separator: ",") + "}"
    let object = try #require(try parse(text).object)
    #expect(object.keys == keys)
    #expect(object.allSatisfy { $0.value.string == $0.key })
    #expect(keys.allSatisfy { object[$0]?.string == $0 })
  }

  @Test("whole numbers of 64 bits are integers, all others the nearest double") func numbers() throws {
    #expect(try parse("9223372036854775807") == .integer(.max))
    #expect(try parse("-9223372036854775808") == .integer(.min))
    #expect(try parse("9223372036854775808") == .number(0x1p63))
    #expect(try parse("1.0") == .number(1))
    #expect(try parse("1e3") == .number(1000))
    #expect(try parse("5e-324") == .number(.leastNonzeroMagnitude))
  }

  @Test("every escape is read, surrogate pairs included") func escapes() throws {
    #expect(try parse(#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é""#) == "\"\\/\u{8}\u{c}\n\r\té😀é")
  }

  @Test(
    "a mistake is named with its line and column",
    arguments: [
      ("", "line 1, column 1: the text ends where a value should be"),
      ("{\"a\": 1,\n  \"b\" 2}", "t.json: line 2, column 7: \"2\" where \":\" after the key \"b\" should be"),
      ("{\"é\": ?}", "line 1, column 7: \"?\" where a value"),
      ("{\"a\": 1, \"b\": 2, \"a\": 3}", "line 1, column 18: the key \"a\" comes twice"),
      ("[1, 2,]", "\"]\" where a value"), ("{\"a\": 1,}", "\"}\" where a key"), ("[1 2]", "after item 1"),
      ("[1] 2", "where the end of the text"), ("01", "leading zero"), ("-", "a digit after"),
      ("1.", "decimal point"),
      ("1e", "exponent"), (".5", "where a value"), ("+1", "where a value"), ("NaN", "\"N\" where a value"),
      ("[-Infinity]", "a digit"), ("1e999", "too large"), ("tru", "\"t\" where a value"),
      ("\"a", "never ends"),
      ("\"\\x\"", "unknown escape"), ("\"\\u12g4\"", "four hexadecimal"), ("\"\\ud800\"", "surrogate"),
      ("\"\\ud800\\u0041\"", "surrogate"), ("\"a\nb\"", "control character"),
      ("\u{FEFF}{}", "byte order mark"),
      ("{'a': 1}", "where a key in double quotes"), ("// x", "where a value"),
    ])
  func mistakes(text: String, words: String) {
    expectFailure(saying: words) { try parse(text) }
  }

  /// A hostile key can neither break the line nor reach the terminal.
  @Test("a hostile key neither breaks the line of an error nor reaches the terminal") func hostileKeys() {
    expectFailure(saying: #"the key "a\n\u001b[2J\u2028" comes twice"#) {
      try parse(#"{"a\n\u001b[2J\u2028": 1, "a\n\u001b[2J\u2028": 2}"#)
    }
    expectFailure(saying: "…\" comes twice") {
      let key = String(repeating: "k", count: 10_000)
      return try parse("{\"\(key)\": 1, \"\(key)\": 2}")
    }
  }

  @Test("text that is not UTF-8 is refused") func brokenText() {
    for bad: [UInt8] in [
      [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82], [0xF5, 0x80, 0x80, 0x80],
    ] {
      expectFailure(saying: "UTF-8") { try JSON.parse([0x22] + bad + [0x22], name: "t") }
      expectFailure(saying: "UTF-8") { try JSON.parse(Array("\"\\n".utf8) + bad + [0x22], name: "t") }
    }
  }

  @Test("128 levels are read, and one more is refused, however deep it goes") func nesting() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    _ = try parse(nested(128))
    expectFailure(saying: "128 levels") { try parse(nested(129)) }
    expectFailure(saying: "128 levels") { try parse(String(repeating: "{\"a\":[", count: 1_000_000)) }
  }

  @Test("a file that is not there is missing input, and a folder is bad data") func files() throws {
    let folder = TemporaryFolder()
    expectFailure(.missingInput, saying: "no such file") { try JSON.read(path: folder("none.json")) }
    expectFailure(.badData, saying: "is a folder") { try JSON.read(path: folder.path) }
  }
}

@Suite struct JSONWriting {
  /// The texts were written by Python 3's `json.dumps`, without and with `indent=4`.
  @Test("what is written is what Python's json.dumps writes, indented and not") func python() {
    let json: JSON = [
      "n_mels": 40, "speakers": ["id1": [["feature_path": "a.pt", "mel_len": 702]], "id2": []],
      "x": [0.1, 1e-5, .null],
      "e": [:], "text": "é\"\\\n\u{7f}😀", "flag": true,
      "big": [1e16, 1.5e16, -1.2345678901234568e16, 1e22, 123456789012345.0],
    ]
    #expect(
      json.serialized()
        == #"{"n_mels": 40, "speakers": {"id1": [{"feature_path": "a.pt", "mel_len": 702}], "id2": []}, "x": [0.1, 1e-05, null], "e": {}, "text": "\u00e9\"\\\n\u007f\ud83d\ude00", "flag": true, "big": [1e+16, 1.5e+16, -1.2345678901234568e+16, 1e+22, 123456789012345.0]}"#
    )
    #expect(
      (["n": 40, "a": [["b": 1.5], []], "e": [:]] as JSON).serialized(indent: 4) == """
        {
            "n": 40,
            "a": [
                {
                    "b": 1.5
                },
                []
            ],
            "e": {}
        }
        """)
  }

  @Test("a number that JSON cannot say is null") func notFinite() {
    #expect((.array([.number(.nan), .number(.infinity)]) as JSON).serialized() == "[null, null]")
  }

  @Test("any value that is written is read again as it was") func roundTrip() throws {
    var random = SeededGenerator(seed: 1)
    for _ in 0..<2000 {
      let json = Self.randomValue(depth: 0, &random)
      #expect(try parse(json.serialized()) == json)
      #expect(try parse(json.serialized(indent: 3)) == json)
    }
  }

  private static func randomValue(depth: Int, _ random: inout SeededGenerator) -> JSON {
    switch Int.random(in: 0..<(depth < 4 ? 8 : 6), using: &random) {
    case 0: return .null
    case 1: return .bool(.random(using: &random))
    case 2: return .integer(.random(in: .min ... .max, using: &random))
    case 3, 4:
      let value = Double(bitPattern: .random(in: 0 ... .max, using: &random))
      // Whole numbers in range would come back the same, but -0.0 prints as "-0.0" and so does too.
      return value.isFinite ? .number(value) : .null
    case 5: return .string(randomString(&random))
    case 6:
      return .array(
        (0..<Int.random(in: 0..<5, using: &random)).map { _ in randomValue(depth: depth + 1, &random) })
    default:
      let count = Int.random(in: 0..<20, using: &random)
      return .object(
        JSONObject(
          (0..<count).map { ("\($0)" + randomString(&random), randomValue(depth: depth + 1, &random)) }))
    }
  }

  private static func randomString(_ random: inout SeededGenerator) -> String {
    let scalars: [Unicode.Scalar] = (0..<Int.random(in: 0..<12, using: &random)).compactMap { _ in
      Unicode.Scalar(UInt32.random(in: 0..<(Bool.random(using: &random) ? 0x80 : 0x11_0000), using: &random))
    }
    var string = ""
    string.unicodeScalars.append(contentsOf: scalars)
    return string
  }
}

@Suite struct JSONObjects {
  @Test("an object changes, loses and gains keys without losing their order", arguments: [3, 30])
  func dictionary(count: Int) {
    var object = JSONObject((0..<count).map { ("k\($0)", .integer($0)) })
    object["k1"] = "changed"
    object["k0"] = nil
    object["new"] = true
    #expect(object.keys == (1..<count).map { "k\($0)" } + ["new"])
    #expect(object["k1"] == "changed")
    #expect(object["k0"] == nil)
    #expect(object["k2"] == 2)
    #expect(object["new"] == true)
    #expect(object.count == count)
  }
}
