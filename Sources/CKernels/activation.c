#include "kernel.h"

KERNEL void kernel_bias_relu_dropout(size_t N, size_t D, const float *restrict bias, const uint8_t *restrict keep,
                                     float scale, float *restrict x) {
  for (size_t n = 0; n < N; n++) {
    float *row = x + n * D;
    if (keep) {
      const uint8_t *k = keep + n * D;
      for (size_t i = 0; i < D; i++) {
        float s = row[i] + bias[i];
        row[i] = (s < 0 ? 0 : s) * ((float)k[i] * scale);
      }
    } else {
      for (size_t i = 0; i < D; i++) {
        float s = row[i] + bias[i];
        row[i] = s < 0 ? 0 : s;
      }
    }
  }
}

KERNEL void kernel_relu_dropout_backward(size_t N, size_t D, const float *restrict y, float scale, const float *dy,
                                         float *dx, float *restrict dbias) {
  for (size_t n = 0; n < N; n++) {
    const float *row = y + n * D, *g = dy + n * D;
    float *out = dx + n * D;
    ELEMENTWISE
    for (size_t i = 0; i < D; i++) out[i] = g[i] * (row[i] > 0 ? scale : 0.0f);
    ELEMENTWISE
    for (size_t i = 0; i < D; i++) dbias[i] += out[i];
  }
}

KERNEL void kernel_bias_silu_dropout(size_t N, size_t D, const float *restrict bias, const uint8_t *restrict keep,
                                     float scale, float *restrict x, float *restrict y) {
  for (size_t n = 0; n < N; n++) {
    float *row = x + n * D, *out = y + n * D;
    if (keep) {
      const uint8_t *k = keep + n * D;
      for (size_t i = 0; i < D; i++) {
        float s = row[i] + bias[i];
        row[i] = s;
        out[i] = s * fast_sigmoid(s) * ((float)k[i] * scale);
      }
    } else {
      for (size_t i = 0; i < D; i++) {
        float s = row[i] + bias[i];
        row[i] = s;
        out[i] = s * fast_sigmoid(s);
      }
    }
  }
}

KERNEL void kernel_silu_dropout_backward(size_t N, size_t D, const float *restrict x, const uint8_t *restrict keep,
                                         float scale, const float *dy, float *dx, float *restrict y,
                                         float *restrict dbias) {
  for (size_t n = 0; n < N; n++) {
    const float *row = x + n * D, *g = dy + n * D;
    float *out = dx + n * D, *a = y + n * D;
    ELEMENTWISE
    for (size_t i = 0; i < D; i++) {
      float sigma = fast_sigmoid(row[i]);
      a[i] = row[i] * sigma;
      out[i] = g[i] * (sigma * (1.0f + row[i] * (1.0f - sigma)));
    }
    if (keep) {
      const uint8_t *k = keep + n * D;
      ELEMENTWISE
      for (size_t i = 0; i < D; i++) {
        float factor = (float)k[i] * scale;
        a[i] *= factor;
        out[i] *= factor;
      }
    }
    ELEMENTWISE
    for (size_t i = 0; i < D; i++) dbias[i] += out[i];
  }
}

KERNEL void kernel_bias_glu(size_t N, size_t D, const float *restrict bias, float *restrict x, float *restrict y) {
  for (size_t n = 0; n < N; n++) {
    float *a = x + n * 2 * D, *b = a + D;
    if (bias) {
      for (size_t i = 0; i < D; i++) a[i] += bias[i];
      for (size_t i = 0; i < D; i++) b[i] += bias[D + i];
    }
    for (size_t i = 0; i < D; i++) y[n * D + i] = a[i] * fast_sigmoid(b[i]);
  }
}

KERNEL void kernel_glu_backward(size_t N, size_t D, const float *restrict x, const float *dy, float *restrict dx,
                                float *y, float *restrict dbias) {
  for (size_t n = 0; n < N; n++) {
    const float *a = x + n * 2 * D, *b = a + D, *g = dy + n * D;
    float *da = dx + n * 2 * D, *db = da + D, *gated = y + n * D;
    ELEMENTWISE
    for (size_t i = 0; i < D; i++) {
      float sigma = fast_sigmoid(b[i]), product = a[i] * sigma, slope = g[i];
      gated[i] = product;
      da[i] = slope * sigma;
      db[i] = slope * product * (1.0f - sigma);
    }
    if (dbias)
      for (size_t i = 0; i < 2 * D; i++) dbias[i] += da[i];
  }
}

KERNEL void kernel_bias_sigmoid(size_t N, size_t D, const float *restrict bias, float *restrict x) {
  for (size_t n = 0; n < N; n++)
    for (size_t i = 0; i < D; i++) x[n * D + i] = fast_sigmoid(x[n * D + i] + bias[i]);
}

KERNEL void kernel_sigmoid_backward(size_t N, size_t D, const float *restrict y, const float *dy, float *dx,
                                    float *restrict dbias) {
  for (size_t n = 0; n < N; n++)
    ELEMENTWISE
    for (size_t i = 0; i < D; i++) {
      float s = y[n * D + i], d = dy[n * D + i] * s * (1.0f - s);
      dx[n * D + i] = d;
      dbias[i] += d;
    }
}

KERNEL void kernel_bias_tanh(size_t N, size_t D, const float *restrict bias, float *restrict x) {
  for (size_t n = 0; n < N; n++)
    for (size_t i = 0; i < D; i++) x[n * D + i] = fast_tanh(x[n * D + i] + bias[i]);
}

KERNEL void kernel_tanh_backward(size_t N, size_t D, const float *restrict y, const float *dy, float *dx,
                                 float *restrict dbias) {
  for (size_t n = 0; n < N; n++)
    ELEMENTWISE
    for (size_t i = 0; i < D; i++) {
      float t = y[n * D + i], d = dy[n * D + i] * (1.0f - t * t);
      dx[n * D + i] = d;
      dbias[i] += d;
    }
}

KERNEL void kernel_silu(size_t count, float *restrict x) {
  for (size_t i = 0; i < count; i++) x[i] = x[i] * fast_sigmoid(x[i]);
}

KERNEL void kernel_silu_backward(size_t count, float *restrict x, const float *dy, float *dx) {
  ELEMENTWISE
  for (size_t i = 0; i < count; i++) {
    float value = x[i], sigma = fast_sigmoid(value);
    x[i] = value * sigma;
    dx[i] = dy[i] * (sigma * (1.0f + value * (1.0f - sigma)));
  }
}
