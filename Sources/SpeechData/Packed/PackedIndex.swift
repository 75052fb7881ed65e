import Diagnostics

/// What a packed directory holds, from its manifest and the fronts of all its files, checked against each
/// other.
struct PackedIndex {
  let plan: PackPlan
  /// Where the rows of each utterance are, by dataset index.
  let shardRows: PackedRows
  /// Where the rows of each test utterance are, in `testdata.json` order.
  let testRows: PackedRows?

  init(directory: String) throws {
    let manifestPath = "\(directory)/\(PackManifest.fileName)"
    let manifest = try PackManifest(reading: manifestPath)
    let shards = try KindIndex(.shard, manifest.shards, manifest, directory)
    guard !shards.utterances.isEmpty else { throw Failure(.badData, "\(manifestPath) lists no utterance") }
    for (index, utterance) in shards.utterances.enumerated() {
      guard manifest.speakers.indices.contains(utterance.label) else {
        throw Failure(
          .badData,
          "\(directory): utterance \(index) has label \(utterance.label), but there are "
            + "\(manifest.speakers.count) speakers")
      }
    }
    guard manifest.validation.last ?? 0 < shards.utterances.count else {
      throw Failure(
        .badData,
        "\(manifestPath): validation: there is no utterance \(manifest.validation.last ?? 0): pack again")
    }
    let tests = try manifest.tests.map { try KindIndex(.test, $0, manifest, directory) }
    plan = PackPlan(
      PackContents(
        speakers: manifest.speakers, utterances: shards.utterances, validation: manifest.validation,
        tests: tests?.utterances,
        bands: manifest.bands, recipe: manifest.recipe),
      files: manifest.shards.count)
    // The fingerprint covers every name, length and label, so equality here leaves no room for a mix of two
    // corpora; the order inside the files is what the sampler relies on.
    guard plan.fingerprint == manifest.fingerprint else {
      throw Failure(
        .badData, "\(manifestPath): its files are not those of the corpus it describes: pack again")
    }
    for (kind, index) in [(PackKind.shard, shards), (.test, tests)] {
      for (file, members) in (index?.members ?? []).enumerated() where members != plan.members(kind, file) {
        throw Failure(
          .badData, "\(directory)/\(plan.name(kind, file)) holds other utterances than it should: pack again")
      }
    }
    shardRows = shards.rows
    testRows = tests?.rows
  }
}

/// The rows of a list of utterances in the files of one kind.
struct PackedRows {
  struct Place {
    var file: Int
    var offset: Int
    var checksum: UInt32
  }

  /// The files' paths and sizes.
  let files: [(path: String, bytes: Int)]
  /// By index of the utterance.
  let places: [Place]
}

/// The fronts of all files of one kind, put together.
private struct KindIndex {
  let utterances: [Utterance]
  /// Indices by file, in the file's order.
  let members: [[Int]]
  let rows: PackedRows

  init(_ kind: PackKind, _ files: [PackManifest.File], _ manifest: PackManifest, _ directory: String)
    throws
  {
    var fronts: [MelFileFront] = []
    for (number, file) in files.enumerated() {
      let path = "\(directory)/\(file.name)"
      guard file.name == PackPlan.name(kind, number, of: files.count) else {
        throw Failure(
          .badData,
          "\(directory)/\(PackManifest.fileName): lists \\(file.name.quoted) where "
            + "\(PackPlan.name(kind, number, of: files.count)) was expected")
      }
      let front = try MelFileFront(reading: path)
      guard front.header.fingerprint == manifest.fingerprint, front.header.file == number,
        front.header.files == files.count, front.checksum == file.checksum,
        front.header.fileBytes == file.bytes, front.entries.count == file.utterances,
        front.header.bands == manifest.bands, front.recipe == manifest.recipe
      else {
        throw Failure(.badData, "\(path) is not the file that \(PackManifest.fileName) lists: pack again")
      }
      fronts.append(front)
    }
    // As many as the files hold, which is what the manifest says of them.
    var found = [(utterance: Utterance, place: PackedRows.Place)?](
      repeating: nil, count: fronts.reduce(0) { $0 + $1.entries.count })
    var members: [[Int]] = []
    for (number, front) in fronts.enumerated() {
      let path = "\(directory)/\(files[number].name)"
      for (entry, name) in zip(front.entries, front.paths) {
        guard found.indices.contains(entry.index), found[entry.index] == nil else {
          throw Failure(.badData, "\(path): utterance \(entry.index) is out of range or there twice")
        }
        found[entry.index] = (
          Utterance(path: name, frames: entry.frames, label: entry.label),
          PackedRows.Place(file: number, offset: entry.offset, checksum: entry.checksum)
        )
      }
      members.append(front.entries.map(\.index))
    }
    // As many places as entries, none taken twice: all are taken.
    utterances = found.map { $0!.utterance }
    rows = PackedRows(
      files: files.map { ("\(directory)/\($0.name)", $0.bytes) }, places: found.map { $0!.place })
    self.members = members
  }
}
