import Diagnostics

extension TorchFile {
  /// Writes one tensor as `torch.save(tensor, path)` does, atomically; `torch.load` reads it also with
  /// `weights_only=True` and `mmap=True`. Equal tensors give equal bytes.
  ///
  /// - Throws: `.inputOutput`, or `.badData` for U16, U32 and U64, for which PyTorch has no storage class.
  public static func writeTensor(_ tensor: Tensor, to path: String) throws(Failure) {
    try checkStorageClass(of: tensor, path: path)
    try write(pickle: PickleWriter.tensor(tensor), payloads: [tensor.bytes], to: path)
  }

  /// Writes a state dict (an `OrderedDict` from names to tensors, in their order) as `torch.save` does, atomically.
  /// The format has no place for the metadata.
  ///
  /// - Throws: as `writeTensor`.
  public static func writeStateDict(_ tensors: NamedTensors, to path: String) throws(Failure) {
    for (_, tensor) in tensors { try checkStorageClass(of: tensor, path: path) }
    try write(pickle: PickleWriter.stateDict(tensors), payloads: tensors.map(\.tensor.bytes), to: path)
  }

  private static func checkStorageClass(of tensor: Tensor, path: String) throws(Failure) {
    guard tensor.elementType.torchStorageName == nil else { return }
    throw Failure(
      .badData,
      "\(path): PyTorch has no storage class for \(tensor.elementType.rawValue); convert the tensor first")
  }

  /// The members and their order as `torch.save` has them, in the folder that it uses when it does not know the
  /// file's name, so that the bytes do not depend on the path.
  private static func write(pickle: [UInt8], payloads: [[UInt8]], to path: String) throws(Failure) {
    var members = [("archive/data.pkl", pickle), ("archive/byteorder", Array("little".utf8))]
    for (index, payload) in payloads.enumerated() { members.append(("archive/data/\(index)", payload)) }
    members.append(("archive/version", Array("3\n".utf8)))
    let layout = ZipLayout(
      members.map { ZipLayout.Member(name: $0.0, byteCount: $0.1.count, crc32: CRC32.checksum($0.1)) })
    try FileWriting.writeAtomically(to: path) { sink throws(Failure) in
      for (header, (_, payload)) in zip(layout.localHeaders, members) {
        try sink.write(header)
        try sink.write(payload)
      }
      try sink.write(layout.directory)
    }
  }
}
