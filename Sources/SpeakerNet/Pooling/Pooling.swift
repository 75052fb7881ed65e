import CKernels
import TensorCore

/// From the frames of each sample to one vector: x_ND → e_BD.
package enum Pooling: Layer {
  case mean(MeanPooling)
  case attentive(AttentivePooling)

  package init(_ pooling: ModelConfiguration.Pooling, width: Int, in layout: inout ParameterLayout) {
    switch pooling.kind {
    case .mean: self = .mean(MeanPooling())
    case .sap:
      let name =
        pooling.name == .selfAttentionPooling ? "self_attention_pooling.attention" : "attention_pooling.score"
      self = .attentive(AttentivePooling(score: name, width: width, in: &layout))
    case .sapFull:
      self = .attentive(AttentivePooling(hidden: pooling.attention, width: width, in: &layout))
    }
  }

  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    switch self {
    case .mean(let pooling): pooling.forward(x_ND, &pass)
    case .attentive(let pooling): pooling.forward(x_ND, &pass)
    }
  }

  package func backward(_ de_BD: Matrix, _ pass: inout Pass) -> Matrix {
    switch self {
    case .mean(let pooling): pooling.backward(de_BD, &pass)
    case .attentive(let pooling): pooling.backward(de_BD, &pass)
    }
  }
}

/// The mean over the frames.
package struct MeanPooling: Layer {
  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let e_BD = pass.matrix(pass.samples, x_ND.columns)
    pass.clock.measure(.other) {
      kernel_mean_rows(pass.samples, pass.frames, x_ND.columns, x_ND.base, e_BD.base)
    }
    return e_BD
  }

  package func backward(_ de_BD: Matrix, _ pass: inout Pass) -> Matrix {
    let dx_ND = pass.matrix(pass.rows, de_BD.columns)
    pass.clock.measure(.other) {
      kernel_mean_rows_backward(pass.samples, pass.frames, de_BD.columns, de_BD.base, dx_ND.base)
    }
    return dx_ND
  }
}
