// What the kernels share: the dispatch attribute and vectorisable scalar functions.
#ifndef KERNEL_H
#define KERNEL_H

#include "include/CKernels.h"

// One binary for every x86-64 processor: three versions of each kernel, chosen when the program is loaded. Not under
// the thread sanitizer: it instruments the functions that choose, and they run before it is there.
#if defined(__x86_64__) && !__has_feature(thread_sanitizer)
#define KERNEL __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define KERNEL
#endif

// Sums may be taken in vector lanes. The order is fixed when compiled, so it depends on the shape alone.
#pragma clang fp reassociate(on) contract(fast)

// Before a loop whose output may be the very array of an input, element for element: without it the compiler
// checks for overlap, finds it, and takes the scalar way.
#define ELEMENTWISE _Pragma("clang loop vectorize(assume_safety)")

// The same for rows of a few vectors, where an unrolled body would leave most of the row to its remainder: 80 floats
// are five vectors of AVX-512.
#define SHORT_ROW _Pragma("clang loop vectorize(assume_safety) interleave_count(1)")

#define INLINE static inline __attribute__((always_inline))

INLINE float bits_to_float(int32_t bits) {
  union { int32_t i; float f; } u = {bits};
  return u.f;
}

// exp(x) with a relative error below 2e-7: 2^k · e^r with |r| ≤ ln2 / 2 (range reduction and polynomial
// after Cephes expf, S. L. Moshier). Arguments are clamped, so the result is never infinite.
// Not reassociated: the two subtractions keep bits that one would lose.
INLINE float fast_exp(float x) {
#pragma clang fp reassociate(off)
  x = x < -87.3f ? -87.3f : x;
  x = x > 88.3f ? 88.3f : x;
  float scaled = x * 1.44269504088896341f;
  int32_t k = (int32_t)(scaled + (scaled < 0 ? -0.5f : 0.5f));
  float kf = (float)k;
  float r = x - kf * 0.693359375f;
  r = r - kf * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return (p * r * r + r + 1.0f) * bits_to_float((k + 127) << 23);
}

INLINE float fast_sigmoid(float x) { return 1.0f / (1.0f + fast_exp(-x)); }

// tanh through σ; near zero, where the difference would cancel, the odd Taylor series.
INLINE float fast_tanh(float x) {
#pragma clang fp reassociate(off)
  float e = 2.0f / (1.0f + fast_exp(-2.0f * x)) - 1.0f;
  float s = x * x;
  float t = x * (1.0f + s * (-0.333333333f + s * (0.133333333f + s * -0.0539682540f)));
  return s < 0.04f ? t : e;
}

#endif
