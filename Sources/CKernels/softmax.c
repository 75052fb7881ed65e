#include "kernel.h"
#include <math.h>

INLINE float row_max(size_t D, const float *x) {
  float lanes[16];
  if (D < 16) {
    float m = x[0];
    for (size_t i = 1; i < D; i++) m = x[i] > m ? x[i] : m;
    return m;
  }
  for (int j = 0; j < 16; j++) lanes[j] = x[j];
  for (size_t i = 16; i + 16 <= D; i += 16)
    for (int j = 0; j < 16; j++) lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
  for (size_t i = D & ~(size_t)15; i < D; i++) lanes[0] = x[i] > lanes[0] ? x[i] : lanes[0];
  float m = lanes[0];
  for (int j = 1; j < 16; j++) m = lanes[j] > m ? lanes[j] : m;
  return m;
}

KERNEL void kernel_softmax_dropout(size_t N, size_t D, float temperature, const uint8_t *keep, float scale,
                                   float *restrict x, float *restrict dropped) {
  for (size_t n = 0; n < N; n++) {
    float *row = x + n * D;
    float shift = row_max(D, row) * temperature, sum = 0;
    for (size_t i = 0; i < D; i++) {
      float e = fast_exp(row[i] * temperature - shift);
      row[i] = e;
      sum += e;
    }
    float inverse = 1.0f / sum;
    if (keep) {
      const uint8_t *k = keep + n * D;
      float *out = dropped + n * D;
      for (size_t i = 0; i < D; i++) {
        float p = row[i] * inverse;
        row[i] = p;
        out[i] = p * ((float)k[i] * scale);
      }
    } else {
      for (size_t i = 0; i < D; i++) row[i] *= inverse;
    }
  }
}

KERNEL void kernel_softmax_dropout_backward(size_t N, size_t D, float temperature, const uint8_t *keep, float scale,
                                            const float *restrict p, const float *dy, float *dx) {
  for (size_t n = 0; n < N; n++) {
    const float *pr = p + n * D, *g = dy + n * D;
    float *out = dx + n * D;
    float dot = 0;
    if (keep) {
      const uint8_t *k = keep + n * D;
      ELEMENTWISE
      for (size_t i = 0; i < D; i++) dot += g[i] * ((float)k[i] * scale) * pr[i];
      ELEMENTWISE
      for (size_t i = 0; i < D; i++) out[i] = (g[i] * ((float)k[i] * scale) - dot) * pr[i] * temperature;
    } else {
      ELEMENTWISE
      for (size_t i = 0; i < D; i++) dot += g[i] * pr[i];
      ELEMENTWISE
      for (size_t i = 0; i < D; i++) out[i] = (g[i] - dot) * pr[i] * temperature;
    }
  }
}

KERNEL void kernel_cross_entropy(size_t N, size_t C, const float *restrict logits, const int32_t *restrict labels,
                                 float gradient_scale, float *restrict loss, int32_t *restrict correct,
                                 float *restrict dlogits) {
  for (size_t n = 0; n < N; n++) {
    const float *row = logits + n * C;
    size_t label = (size_t)labels[n];
    float shift = row_max(C, row), sum = 0;
    size_t first = 0;
    while (first + 1 < C && row[first] != shift) first++;
    for (size_t i = 0; i < C; i++) sum += fast_exp(row[i] - shift);
    loss[n] = logf(sum) + shift - row[label];
    correct[n] = first == label;
    if (dlogits) {
      float *out = dlogits + n * C;
      float factor = gradient_scale / sum;
      for (size_t i = 0; i < C; i++) out[i] = fast_exp(row[i] - shift) * factor;
      out[label] -= gradient_scale;
    }
  }
}
