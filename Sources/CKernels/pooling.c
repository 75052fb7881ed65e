#include "kernel.h"
#include <string.h>

// Sums of sums of 16 rows, in strips of 64 columns: one running sum over hundreds of rows would lose a digit that
// a BatchNorm behind it, which takes the mean of the means away, then misses.
KERNEL void kernel_mean_rows(size_t B, size_t T, size_t D, const float *restrict x, float *restrict mean) {
  for (size_t b = 0; b < B; b++)
    for (size_t start = 0; start < D; start += 64) {
      size_t width = D - start < 64 ? D - start : 64;
      float total[64] = {0};
      for (size_t block = 0; block < T; block += 16) {
        float part[64] = {0};
        for (size_t t = block; t < T && t < block + 16; t++)
          for (size_t i = 0; i < width; i++) part[i] += x[(b * T + t) * D + start + i];
        for (size_t i = 0; i < width; i++) total[i] += part[i];
      }
      for (size_t i = 0; i < width; i++) mean[b * D + start + i] = total[i] / (float)T;
    }
}

KERNEL void kernel_mean_rows_backward(size_t B, size_t T, size_t D, const float *restrict dmean, float *restrict dx) {
  float inverse = 1.0f / (float)T;
  for (size_t b = 0; b < B; b++)
    for (size_t t = 0; t < T; t++)
      for (size_t i = 0; i < D; i++) dx[(b * T + t) * D + i] = dmean[b * D + i] * inverse;
}

KERNEL void kernel_weighted_rows(size_t B, size_t T, size_t D, const float *restrict weights, const float *restrict x,
                                 float *restrict sums) {
  for (size_t b = 0; b < B; b++) {
    float *s = sums + b * D;
    memset(s, 0, D * sizeof(float));
    for (size_t t = 0; t < T; t++) {
      float w = weights[b * T + t];
      for (size_t i = 0; i < D; i++) s[i] += w * x[(b * T + t) * D + i];
    }
  }
}

KERNEL void kernel_weighted_rows_backward(size_t B, size_t T, size_t D, const float *restrict weights,
                                          const float *restrict x, const float *restrict dsums,
                                          float *restrict dweights, float *restrict dx) {
  for (size_t b = 0; b < B; b++)
    for (size_t t = 0; t < T; t++) {
      const float *row = x + (b * T + t) * D, *g = dsums + b * D;
      float *out = dx + (b * T + t) * D;
      float w = weights[b * T + t], dot = 0;
      for (size_t i = 0; i < D; i++) {
        dot += row[i] * g[i];
        out[i] = w * g[i];
      }
      dweights[b * T + t] = dot;
    }
}
