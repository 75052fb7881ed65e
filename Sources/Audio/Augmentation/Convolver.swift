import CAudioKernels

/// Convolves signals in the frequency domain, in blocks that are added where they overlap. Belongs to one thread at a
/// time, for its memory.
///
/// Two blocks are transformed at once, as the real and the imaginary part of one signal: the response is real, so they
/// stay apart.
public final class Convolver {
  private var transforms: [Int: ConvolutionTransform] = [:]
  /// Three arrays of complex numbers: the response's spectrum, the blocks, and scratch.
  private var memory = UnsafeMutablePointer<Float>.allocate(capacity: 0)
  private var capacity = 0

  /// Takes no memory yet.
  public init() {}

  deinit { memory.deallocate() }

  /// All of a convolution, `result[n] = Σ_k response[k] · signal[n - k]`.
  ///
  /// - Parameters:
  ///   - signal: [s], at least one sample.
  ///   - response: [r], at least one.
  ///   - result: [s + r - 1], not the memory of the others.
  public func convolve(
    _ signal: UnsafeBufferPointer<Float>, with response: UnsafeBufferPointer<Float>,
    into result: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(!signal.isEmpty && !response.isEmpty && result.count == signal.count + response.count - 1)
    let size = Self.size(signal: signal.count, response: response.count)
    let transform = transforms[size] ?? ConvolutionTransform(size: size)
    transforms[size] = transform
    reserve(6 * size)
    let spectrum = fill(0, size, response, nil)
    let filter = transform(spectrum, scratch: numbers(2, size))
    // What is left of the first and the third array.
    let spare = numbers(filter.real == spectrum.real ? 2 : 0, size)
    result.update(repeating: 0)
    let step = size - response.count + 1
    for start in stride(from: 0, to: signal.count, by: 2 * step) {
      let first = slice(signal, start, step), second = slice(signal, start + step, step)
      let blocks = transform(fill(1, size, first, second), scratch: spare)
      audio_convolution_product(
        size, 1 / Float(size), filter.real, filter.imaginary, blocks.real, blocks.imaginary)
      let other = blocks.real == spare.real ? numbers(1, size) : spare
      let sums = transform(blocks.exchanged, scratch: other.exchanged).exchanged
      add(sums.real, first.count + response.count - 1, to: result, at: start)
      if second.count > 0 {
        add(sums.imaginary, second.count + response.count - 1, to: result, at: start + step)
      }
    }
  }

  /// The size with the least work: N log N for the response and twice for each two blocks.
  private static func size(signal: Int, response: Int) -> Int {
    func work(_ exponent: Int) -> Int {
      let step = 1 << exponent - response + 1
      return ((signal + 2 * step - 1) / (2 * step) * 2 + 1) * exponent << exponent
    }
    let least = max(8, Int.bitWidth - response.leadingZeroBitCount)
    let most = max(least, Int.bitWidth - (signal + response).leadingZeroBitCount)
    return 1 << (least...most).min { work($0) < work($1) }!
  }

  private func slice(_ signal: UnsafeBufferPointer<Float>, _ start: Int, _ count: Int)
    -> UnsafeBufferPointer<Float>
  {
    UnsafeBufferPointer(rebasing: signal[min(start, signal.count)..<min(start + count, signal.count)])
  }

  private func add(
    _ block: UnsafePointer<Float>, _ count: Int, to result: UnsafeMutableBufferPointer<Float>, at start: Int
  ) {
    audio_add_scaled(min(count, result.count - start), 1, block, result.baseAddress! + start)
  }

  private func reserve(_ count: Int) {
    guard count > capacity else { return }
    memory.deallocate()
    memory = .allocate(capacity: count)
    memory.initialize(repeating: 0, count: count)
    capacity = count
  }

  /// One of the three arrays.
  private func numbers(_ index: Int, _ size: Int) -> ConvolutionTransform.Numbers {
    let base = memory + 2 * index * size
    return ConvolutionTransform.Numbers(real: base, imaginary: base + size)
  }

  /// Fills one of them, with zeros behind.
  private func fill(
    _ index: Int, _ size: Int, _ real: UnsafeBufferPointer<Float>, _ imaginary: UnsafeBufferPointer<Float>?
  ) -> ConvolutionTransform.Numbers {
    let numbers = numbers(index, size)
    for (part, values) in [(numbers.real, real), (numbers.imaginary, imaginary)] {
      let count = values?.count ?? 0
      if let base = values?.baseAddress { part.update(from: base, count: count) }
      (part + count).update(repeating: 0, count: size - count)
    }
    return numbers
  }
}
