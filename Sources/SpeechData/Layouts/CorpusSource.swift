import Diagnostics

/// Data as a person points to it: a folder or a list, and what it is to be read as.
public struct CorpusSource: Sendable, Equatable {
  /// The folder or the list.
  public var path: String
  /// What it holds; nil to recognise it.
  public var layout: Layout?
  /// A regular expression by which the names of files tell speakers; see ``SoundCorpus/open(_:layout:speakerFrom:)``.
  public var speakerFrom: String?

  /// Data at a path.
  public init(_ path: String, layout: Layout? = nil, speakerFrom: String? = nil) {
    self.path = path
    self.layout = layout
    self.speakerFrom = speakerFrom
  }

  /// What is there, features in the homework's layout or packed included.
  ///
  /// - Throws: as ``Layout/recognised(at:)``.
  public func recognised() throws(Failure) -> Layout {
    if let layout { return layout }
    return speakerFrom == nil ? try Layout.recognised(at: path) : .fileNames
  }

  /// The recordings that are there.
  ///
  /// - Throws: as ``SoundCorpus/open(_:layout:speakerFrom:)``.
  public func open() throws(Failure) -> SoundCorpus {
    try SoundCorpus.open(path, layout: layout, speakerFrom: speakerFrom)
  }
}
