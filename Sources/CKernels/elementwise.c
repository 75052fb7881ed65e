#include "kernel.h"

KERNEL void kernel_add(size_t count, const float *restrict x, float *restrict y) {
  for (size_t i = 0; i < count; i++) y[i] += x[i];
}

KERNEL void kernel_scale(size_t count, float a, const float *x, float *y) {
  ELEMENTWISE
  for (size_t i = 0; i < count; i++) y[i] = a * x[i];
}

KERNEL void kernel_dropout(size_t count, const float *x, const uint8_t *restrict keep, float scale, float *y) {
  ELEMENTWISE
  for (size_t i = 0; i < count; i++) y[i] = x[i] * ((float)keep[i] * scale);
}

KERNEL void kernel_add_bias(size_t N, size_t D, const float *restrict bias, float *restrict x) {
  for (size_t n = 0; n < N; n++)
    for (size_t i = 0; i < D; i++) x[n * D + i] += bias[i];
}

KERNEL void kernel_column_sums(size_t N, size_t D, const float *restrict x, float *restrict sums) {
  for (size_t n = 0; n < N; n++)
    for (size_t i = 0; i < D; i++) sums[i] += x[n * D + i];
}
