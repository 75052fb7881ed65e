// Passes over log-mel features, for augmentation: rows are frames, columns bands.
#include "kernel.h"

// ln(x) of normal positive numbers, error below 2e-7 of 1 or of the result: the mantissa is brought to [√½, √2], the
// polynomial is that of Cephes logf, S. L. Moshier.
INLINE float fast_log(float x) {
#pragma clang fp reassociate(off)
  union { float f; int32_t i; } u = {x};
  int32_t k = (u.i - 0x3F3504F3) >> 23;  // 0x3F3504F3 is √½
  float f = bits_to_float(u.i - (k << 23)) - 1.0f;
  float p = 7.0376836292e-2f;
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  float s = f * f, e = (float)k;
  float y = f * s * p + e * -2.12194440e-4f - 0.5f * s;
  return y + f + e * 0.693359375f;
}

KERNEL double kernel_energies(size_t count, float inverse_units, const float *x, float *energies) {
  double total = 0;
  for (size_t start = 0; start < count; start += 256) {
    size_t end = count - start < 256 ? count : start + 256;
    float part = 0;
    ELEMENTWISE
    for (size_t i = start; i < end; i++) {
      float nats = x[i] * inverse_units;
      float e = fast_exp(nats > 80.0f ? 80.0f : nats);
      energies[i] = e;
      part += e;
    }
    total += part;
  }
  return total;
}

KERNEL void kernel_add_scaled(size_t count, float a, const float *restrict x, float *restrict y) {
  for (size_t i = 0; i < count; i++) y[i] += a * x[i];
}

KERNEL void kernel_logarithms(size_t count, float units, const float *restrict energies, float *restrict x) {
  for (size_t i = 0; i < count; i++) x[i] = units * fast_log(energies[i]);
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
