#include "kernel.h"
#include <math.h>

// One row in xhat, with its sum: replaced by its normalised form; y = xhat ∘ gamma + beta. The variance is taken around
// the mean, in a pass of its own over the cached row, as PyTorch does, so large means do not cancel.
INLINE float normalize_row(size_t D, float sum, const float *gamma, const float *beta, float epsilon, float *xhat,
                           float *y) {
  float mean = sum / (float)D, squares = 0;
  SHORT_ROW
  for (size_t i = 0; i < D; i++) squares += (xhat[i] - mean) * (xhat[i] - mean);
  float rstd = 1.0f / sqrtf(squares / (float)D + epsilon);
  SHORT_ROW
  for (size_t i = 0; i < D; i++) {
    float h = (xhat[i] - mean) * rstd;
    xhat[i] = h;
    y[i] = h * gamma[i] + beta[i];
  }
  return rstd;
}

KERNEL void kernel_residual_norm(size_t N, size_t D, const float *restrict x, const float *branch,
                                 const float *restrict bias, const uint8_t *keep, float scale,
                                 const float *restrict gamma, const float *restrict beta, float epsilon,
                                 float *restrict y, float *xhat, float *restrict rstd) {
  for (size_t n = 0; n < N; n++) {
    const float *xr = x + n * D, *br = branch + n * D;
    float *h = xhat + n * D, sum = 0;
    if (keep) {
      const uint8_t *k = keep + n * D;
      SHORT_ROW
      for (size_t i = 0; i < D; i++) {
        float s = xr[i] + (br[i] + bias[i]) * ((float)k[i] * scale);
        h[i] = s;
        sum += s;
      }
    } else {
      SHORT_ROW
      for (size_t i = 0; i < D; i++) {
        float s = xr[i] + (br[i] + bias[i]);
        h[i] = s;
        sum += s;
      }
    }
    rstd[n] = normalize_row(D, sum, gamma, beta, epsilon, h, y + n * D);
  }
}

KERNEL void kernel_norm(size_t N, size_t D, const float *x, const float *restrict gamma,
                        const float *restrict beta, float epsilon, float *y, float *restrict xhat,
                        float *restrict rstd) {
  for (size_t n = 0; n < N; n++) {
    const float *xr = x + n * D;
    float *h = xhat + n * D, sum = 0;
    SHORT_ROW
    for (size_t i = 0; i < D; i++) {
      h[i] = xr[i];
      sum += xr[i];
    }
    rstd[n] = normalize_row(D, sum, gamma, beta, epsilon, h, y + n * D);
  }
}

KERNEL void kernel_scale_shift(size_t N, size_t D, const float *restrict gamma, const float *restrict beta,
                               const float *restrict xhat, float *restrict y) {
  for (size_t n = 0; n < N; n++)
    SHORT_ROW
    for (size_t i = 0; i < D; i++) y[n * D + i] = xhat[n * D + i] * gamma[i] + beta[i];
}

KERNEL void kernel_norm_backward(size_t N, size_t D, const float *restrict xhat, const float *restrict rstd,
                                 const float *restrict gamma, const float *dy, float *dx, float *restrict dgamma,
                                 float *restrict dbeta) {
  for (size_t n = 0; n < N; n++) {
    const float *restrict h = xhat + n * D;
    const float *g = dy + n * D;
    float *out = dx + n * D;
    float sum = 0, dot = 0;
    SHORT_ROW
    for (size_t i = 0; i < D; i++) {
      float weighted = g[i] * gamma[i];
      sum += weighted;
      dot += weighted * h[i];
      dgamma[i] += g[i] * h[i];
      dbeta[i] += g[i];
    }
    sum /= (float)D;
    dot /= (float)D;
    float r = rstd[n];
    SHORT_ROW
    for (size_t i = 0; i < D; i++) out[i] = r * (g[i] * gamma[i] - sum - h[i] * dot);
  }
}

KERNEL void kernel_bias_dropout_backward(size_t N, size_t D, const uint8_t *keep, float scale, const float *dy,
                                         float *dx, float *restrict dbias) {
  for (size_t n = 0; n < N; n++) {
    const float *g = dy + n * D;
    float *out = dx + n * D;
    if (keep) {
      const uint8_t *k = keep + n * D;
      ELEMENTWISE
      for (size_t i = 0; i < D; i++) {
        float d = g[i] * ((float)k[i] * scale);
        out[i] = d;
        dbias[i] += d;
      }
    } else {
      ELEMENTWISE
      for (size_t i = 0; i < D; i++) {
        float d = g[i] * scale;
        out[i] = d;
        dbias[i] += d;
      }
    }
  }
}

KERNEL void kernel_add_branch(size_t N, size_t D, const float *restrict branch, const float *restrict bias,
                              const uint8_t *restrict keep, float scale, float factor, float *restrict x) {
  for (size_t n = 0; n < N; n++) {
    const float *br = branch + n * D;
    float *out = x + n * D;
    if (keep) {
      const uint8_t *k = keep + n * D;
      SHORT_ROW
      for (size_t i = 0; i < D; i++) out[i] += factor * ((br[i] + bias[i]) * ((float)k[i] * scale));
    } else {
      SHORT_ROW
      for (size_t i = 0; i < D; i++) out[i] += factor * (br[i] + bias[i]);
    }
  }
}

KERNEL void kernel_normalize_rows(size_t N, size_t D, const float *restrict x, float *restrict y,
                                  float *restrict lengths) {
  for (size_t n = 0; n < N; n++) {
    float squares = 0;
    for (size_t i = 0; i < D; i++) squares += x[n * D + i] * x[n * D + i];
    float length = sqrtf(squares);
    length = length < 1e-12f ? 1e-12f : length;
    lengths[n] = length;
    float inverse = 1.0f / length;
    for (size_t i = 0; i < D; i++) y[n * D + i] = x[n * D + i] * inverse;
  }
}

KERNEL void kernel_normalize_rows_backward(size_t N, size_t D, const float *restrict y, const float *restrict lengths,
                                           const float *dy, int accumulating, float *dx) {
  for (size_t n = 0; n < N; n++) {
    const float *u = y + n * D, *g = dy + n * D;
    float *out = dx + n * D;
    float dot = 0, inverse = 1.0f / lengths[n];
    ELEMENTWISE
    for (size_t i = 0; i < D; i++) dot += u[i] * g[i];
    if (accumulating)
      ELEMENTWISE
      for (size_t i = 0; i < D; i++) out[i] += (g[i] - u[i] * dot) * inverse;
    else
      ELEMENTWISE
      for (size_t i = 0; i < D; i++) out[i] = (g[i] - u[i] * dot) * inverse;
  }
}

KERNEL void kernel_column_squares(size_t N, size_t D, const float *restrict mean, const float *restrict x,
                                  float *restrict squares) {
  for (size_t n = 0; n < N; n++)
    for (size_t i = 0; i < D; i++) squares[i] += (x[n * D + i] - mean[i]) * (x[n * D + i] - mean[i]);
}

KERNEL void kernel_batch_norm(size_t N, size_t D, const float *restrict mean, const float *restrict rstd,
                              const float *restrict gamma, const float *restrict beta, const float *x, float *xhat,
                              float *restrict y) {
  for (size_t n = 0; n < N; n++)
    SHORT_ROW
    for (size_t i = 0; i < D; i++) {
      float h = (x[n * D + i] - mean[i]) * rstd[i];
      xhat[n * D + i] = h;
      y[n * D + i] = h * gamma[i] + beta[i];
    }
}

KERNEL void kernel_batch_norm_sums(size_t N, size_t D, const float *restrict xhat, const float *restrict dy,
                                   float *restrict dgamma, float *restrict dbeta) {
  for (size_t n = 0; n < N; n++)
    SHORT_ROW
    for (size_t i = 0; i < D; i++) {
      dgamma[i] += dy[n * D + i] * xhat[n * D + i];
      dbeta[i] += dy[n * D + i];
    }
}

KERNEL void kernel_batch_norm_backward(size_t N, size_t D, const float *restrict xhat, const float *restrict rstd,
                                       const float *restrict gamma, const float *restrict mean_dy,
                                       const float *restrict mean_dy_xhat, const float *dy, float *dx) {
  for (size_t n = 0; n < N; n++)
    SHORT_ROW
    for (size_t i = 0; i < D; i++)
      dx[n * D + i] = gamma[i] * rstd[i] * (dy[n * D + i] - mean_dy[i] - xhat[n * D + i] * mean_dy_xhat[i]);
}
