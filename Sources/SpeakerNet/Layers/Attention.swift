import TensorCore

/// Multi-head scaled dot-product self-attention over the frames of each sample (Vaswani et al., arXiv 1706.03762).
///
/// `softmax(q kᵀ / √(D/H)) v` for each head, then the output projection. The projections of queries, keys and
/// values are one product with a packed [3D, D] weight: PyTorch's `in_proj_weight`, or three weights that were
/// registered one after another.
package struct Attention: Sendable {
  /// Query rows whose scores are computed at a time in evaluation, so that a long utterance needs no T × T matrix.
  private static let evaluationRows = 256

  let heads: Int
  let headWidth: Int
  /// Dropout of the attention weights.
  let dropout: Float
  /// The packed projection, [3D, D], bias [3D] or none.
  let projection: Linear
  /// The output projection, whose bias is left to the pass that follows.
  let output: Linear

  /// `nn.MultiheadAttention`: `name.in_proj_weight`, `name.in_proj_bias`, `name.out_proj.{weight,bias}`.
  package init(
    multihead name: String, width: Int, heads: Int, dropout: Float, in layout: inout ParameterLayout
  ) {
    // Xavier's bound of the packed matrix; biases start at zero.
    let bound = (6 / Float(width + 3 * width)).squareRoot()
    let weight = layout.add("\(name).in_proj_weight", [3 * width, width], .uniform(bound: bound))
    let bias = layout.add("\(name).in_proj_bias", [3 * width], .zeros)
    let outputBound = 1 / Float(width).squareRoot()
    let outputWeight = layout.add("\(name).out_proj.weight", [width, width], .uniform(bound: outputBound))
    let outputBias = layout.add("\(name).out_proj.bias", [width], .zeros)
    self.init(
      width: width, heads: heads, dropout: dropout, projection: Linear(weight: weight, bias: bias),
      output: Linear(weight: outputWeight, bias: outputBias))
  }

  /// Report 004's attention: `name.{q,k,v}.weight` without bias and `name.out.{weight,bias}`.
  package init(
    separate name: String, width: Int, heads: Int, dropout: Float, in layout: inout ParameterLayout
  ) {
    let query = Linear("\(name).q", inputs: width, outputs: width, hasBias: false, in: &layout)
    let key = Linear("\(name).k", inputs: width, outputs: width, hasBias: false, in: &layout)
    _ = Linear("\(name).v", inputs: width, outputs: width, hasBias: false, in: &layout)
    precondition(key.weight.offset == query.weight.offset + width * width)
    let packed = Parameter(
      index: query.weight.index, offset: query.weight.offset, rows: 3 * width, columns: width)
    self.init(
      width: width, heads: heads, dropout: dropout, projection: Linear(weight: packed, bias: nil),
      output: Linear("\(name).out", inputs: width, outputs: width, in: &layout))
  }

  private init(width: Int, heads: Int, dropout: Float, projection: Linear, output: Linear) {
    self.heads = heads
    self.headWidth = width / heads
    self.dropout = dropout
    self.projection = projection
    self.output = output
  }

  /// The bias that the result of ``forward(_:_:)`` still lacks.
  package var outputBias: Parameter { output.bias! }

  private var temperature: Float { 1 / Float(headWidth).squareRoot() }

  /// The attention's output before its bias. The input is for the caller to save.
  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let qkv_N3D = projection.keptProduct(x_ND, &pass)
    if let bias = projection.bias { pass.addBias(pass[bias], to: qkv_N3D) }
    let context_ND = pass.kept(x_ND.rows, x_ND.columns)
    if pass.isTraining {
      pass.save(qkv_N3D)
      attend(qkv_N3D, context_ND, &pass)
      pass.save(context_ND)
    } else {
      attendInBlocks(qkv_N3D, context_ND, &pass)
    }
    return output.product(context_ND, &pass)
  }

  /// For an input that was saved just before ``forward(_:_:)``: its gradient is added to `dx`; `dy` is the gradient
  /// of what `forward` returned. The output bias's gradient, and those of all parameters registered later, are final
  /// by now.
  package func backward(_ dy_ND: Matrix, addingTo dx_ND: Matrix, _ pass: inout Pass) {
    let dqkv_N3D = backward(dy_ND, &pass)
    projectionGradients(dqkv_N3D, pass.restore(), &pass)
    projection.addInputGradient(dqkv_N3D, to: dx_ND, &pass)
  }

  /// The gradient of queries, keys and values.
  func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let context_ND = pass.restore()
    output.weightGradient(dy_ND, context_ND, &pass)
    pass.finishedGradients(from: output.weight)
    let dcontext_ND = output.inputGradient(dy_ND, &pass)
    let weights = pass.restore()
    let mask = pass.restoreMask(probability: dropout)
    let qkv_N3D = pass.restore()
    return attendBackward(dcontext_ND, weights, mask, qkv_N3D, &pass)
  }

  /// The gradients of the packed projection, from that of its output and its input. A large one is told of in thirds,
  /// the values' first: one is under way while the next is computed.
  func projectionGradients(_ dqkv_N3D: Matrix, _ x_ND: Matrix, _ pass: inout Pass) {
    if let bias = projection.bias { pass.addBiasGradient(dqkv_N3D, to: pass.gradient(of: bias)) }
    for part in (0..<projection.weight.parts).reversed() {
      projection.weightGradient(dqkv_N3D, x_ND, rows: projection.weight.rows(ofPart: part), &pass)
      pass.finishedGradients(from: projection.weight, part: part)
    }
  }

  /// The projections', and for each head of each sample that of ``attend(_:_:_:)`` and ``attendBackward(_:_:_:_:_:)``.
  package func work(samples: Int, frames T: Int) -> Work {
    let scores = Work.Product(.secondTransposed, T, T, depth: headWidth)
    let context = Work.Product(.plain, T, headWidth, depth: T)
    let times = samples * heads
    var work = projection.work(samples: samples, frames: T) + output.work(samples: samples, frames: T)
    work.addForward(scores, times: times)
    work.addForward(context, times: times)
    work.addBackward(Work.Product(.firstTransposed, T, headWidth, depth: T), times: times)  // dv
    work.addBackward(scores, times: times)  // dp
    work.addBackward(context, times: times)  // dq
    work.addBackward(Work.Product(.firstTransposed, T, headWidth, depth: T), times: times)  // dk
    return work
  }

  /// Training: `context = dropout(p) · v` with `p = softmax(q kᵀ / √(D/H))`, which is kept for all heads, [B·H·T, T].
  private func attend(_ qkv_N3D: Matrix, _ context_ND: Matrix, _ pass: inout Pass) {
    let T = pass.frames
    let weights = pass.kept(pass.samples * heads * T, T)
    let mask = pass.mask(weights.count, probability: dropout)
    let dropped_TT = pass.matrix(T, T)
    for sample in 0..<pass.samples {
      for head in 0..<heads {
        let index = sample * heads + head
        let p_TT = weights.rows(index * T..<(index + 1) * T)
        let (q, k, v) = windows(of: qkv_N3D, sample, head, frames: T)
        pass.multiply(q, transposed: k, into: p_TT)
        let used_TT = pass.softmax(
          p_TT, temperature: temperature, mask.from(index * T * T), dropped: dropped_TT)
        pass.multiply(used_TT, v, into: window(context_ND, sample, head, frames: T))
      }
    }
    pass.save(weights)
  }

  /// Evaluation: a block of query rows at a time, nothing kept.
  private func attendInBlocks(_ qkv_N3D: Matrix, _ context_ND: Matrix, _ pass: inout Pass) {
    let T = pass.frames
    let mark = pass.arena.mark
    let scores = pass.matrix(min(T, Self.evaluationRows), T)
    for sample in 0..<pass.samples {
      for head in 0..<heads {
        let (q, k, v) = windows(of: qkv_N3D, sample, head, frames: T)
        let out = window(context_ND, sample, head, frames: T)
        for start in stride(from: 0, to: T, by: Self.evaluationRows) {
          let block = start..<min(T, start + Self.evaluationRows)
          let p = scores.rows(0..<block.count)
          pass.multiply(q.rows(block), transposed: k, into: p)
          pass.softmax(p, temperature: temperature)
          pass.multiply(p, v, into: out.rows(block))
        }
      }
    }
    pass.arena.release(to: mark)
  }

  /// With s the scores: `dv = dropout(p)ᵀ · dcontext`, `dp = dcontext · vᵀ`, ds from dp, `dq = ds · k`, `dk = dsᵀ · q`.
  private func attendBackward(
    _ dcontext_ND: Matrix, _ weights: Matrix, _ mask: DropoutMask, _ qkv_N3D: Matrix, _ pass: inout Pass
  ) -> Matrix {
    let T = pass.frames
    let dqkv_N3D = pass.matrix(qkv_N3D.rows, qkv_N3D.columns)
    let dropped_TT = pass.matrix(T, T)
    let ds_TT = pass.matrix(T, T)
    for sample in 0..<pass.samples {
      for head in 0..<heads {
        let index = sample * heads + head
        let p_TT = weights.rows(index * T..<(index + 1) * T)
        let mask = mask.from(index * T * T)
        let (q, k, v) = windows(of: qkv_N3D, sample, head, frames: T)
        let (dq, dk, dv) = windows(of: dqkv_N3D, sample, head, frames: T)
        let dout = window(dcontext_ND, sample, head, frames: T)
        let used_TT = pass.dropout(p_TT, mask, into: dropped_TT)
        pass.multiply(transposed: used_TT, dout, into: dv)
        pass.multiply(dout, transposed: v, into: ds_TT)
        pass.softmaxBackward(ds_TT, result: p_TT, temperature: temperature, mask)
        pass.multiply(ds_TT, k, into: dq)
        pass.multiply(transposed: ds_TT, q, into: dk)
      }
      pass.spareMoment()
    }
    return dqkv_N3D
  }

  /// Queries, keys and values of one head of one sample: windows [T, D/H] on [N, 3D].
  private func windows(
    of qkv: Matrix, _ sample: Int, _ head: Int, frames: Int
  ) -> (q: Matrix, k: Matrix, v: Matrix) {
    let width = heads * headWidth
    let rows = qkv.rows(sample * frames..<(sample + 1) * frames)
    let start = head * headWidth
    return (
      rows.columns(start..<start + headWidth), rows.columns(width + start..<width + start + headWidth),
      rows.columns(2 * width + start..<2 * width + start + headWidth)
    )
  }

  private func window(_ x_ND: Matrix, _ sample: Int, _ head: Int, frames: Int) -> Matrix {
    x_ND.rows(sample * frames..<(sample + 1) * frames).columns(head * headWidth..<(head + 1) * headWidth)
  }
}
