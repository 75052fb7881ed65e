// Passes over log-mel features, for augmentation: rows are frames, columns bands.
#include "kernel.h"

// ln(1 + e) for e in [0, 1], absolute error below 2e-7: the argument is brought to [√½, √2], the polynomial is that of
// Cephes logf, S. L. Moshier.
INLINE float fast_log_1_plus(float e) {
#pragma clang fp reassociate(off)
  int high = e > 0.41421356f;
  float f = high ? (e - 1.0f) * 0.5f : e;
  float p = 7.0376836292e-2f;
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  float s = f * f;
  float y = f * s * p - 0.5f * s + f;
  return high ? y + 0.693147181f : y;
}

KERNEL double kernel_energy(size_t count, float inverse_units, const float *restrict x) {
  double total = 0;
  for (size_t start = 0; start < count; start += 256) {
    size_t end = count - start < 256 ? count : start + 256;
    float part = 0;
    for (size_t i = start; i < end; i++) part += fast_exp(x[i] * inverse_units);
    total += part;
  }
  return total;
}

// The larger of the two is taken out, so that nothing overflows and what is far below changes nothing.
KERNEL void kernel_add_energies(size_t count, float units, float shift, const float *restrict x, float *restrict y) {
  float inverse = 1.0f / units;
  for (size_t i = 0; i < count; i++) {
    float a = y[i], b = x[i] + shift;
    float high = a > b ? a : b, low = a > b ? b : a;
    y[i] = high + units * fast_log_1_plus(fast_exp((low - high) * inverse));
  }
}

KERNEL void kernel_shift(size_t count, float shift, float floor, float *restrict x) {
  for (size_t i = 0; i < count; i++) {
    float s = x[i] + shift;
    x[i] = s < floor ? floor : s;
  }
}

KERNEL void kernel_blend(size_t count, float weight, const float *a, const float *b, float *y) {
  ELEMENTWISE
  for (size_t i = 0; i < count; i++) y[i] = a[i] + weight * (b[i] - a[i]);
}

KERNEL void kernel_move_bands(size_t N, size_t D, const int32_t *restrict from, const float *restrict weight,
                              const float *restrict shift, float floor, const float *restrict x, float *restrict y) {
  for (size_t n = 0; n < N; n++) {
    const float *row = x + n * D;
    float *out = y + n * D;
    for (size_t i = 0; i < D; i++) {
      float a = row[from[i]], b = row[from[i] + (weight[i] > 0)];
      float s = a + weight[i] * (b - a) + shift[i];
      out[i] = s < floor ? floor : s;
    }
  }
}
