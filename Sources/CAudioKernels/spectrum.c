#include "kernel.h"

typedef double double4 __attribute__((vector_size(32), aligned(8)));
// A complex number in every lane.
typedef struct {
  double4 real, imaginary;
} complex4;

INLINE complex4 add(complex4 a, complex4 b) { return (complex4){a.real + b.real, a.imaginary + b.imaginary}; }
INLINE complex4 subtract(complex4 a, complex4 b) { return (complex4){a.real - b.real, a.imaginary - b.imaginary}; }
INLINE complex4 scale(double s, complex4 a) { return (complex4){s * a.real, s * a.imaginary}; }
// The product with one factor for all lanes, w[0] + i·w[1].
INLINE complex4 turn(complex4 a, const double *w) {
  return (complex4){w[0] * a.real - w[1] * a.imaginary, w[0] * a.imaginary + w[1] * a.real};
}
INLINE complex4 times_minus_i(complex4 a) { return (complex4){a.imaginary, -a.real}; }

KERNEL void audio_frames(const float *const frames[4], const double *window, size_t length, size_t padded,
                         double scale, int removes_mean, double preemphasis, double *complex) {
  const float *a = frames[0], *b = frames[1], *c = frames[2], *d = frames[3];
  double4 *x = (double4 *)complex;
  for (size_t n = 0; n < length; n++) x[n] = scale * (double4){a[n], b[n], c[n], d[n]};
  if (removes_mean) {
    double4 sum = {0};
    for (size_t n = 0; n < length; n++) sum += x[n];
    double4 mean = sum / (double)length;
    for (size_t n = 0; n < length; n++) x[n] -= mean;
  }
  if (preemphasis != 0) {
    for (size_t n = length - 1; n > 0; n--) x[n] -= preemphasis * x[n - 1];
    x[0] -= preemphasis * x[0];
  }
  for (size_t n = 0; n < length; n++) x[n] = window[n] * x[n];
  for (size_t n = length; n < padded; n++) x[n] = (double4){0};
}

// A butterfly is a transform of length r over x[0], x[step], …, whose outputs are turned by the twiddle factors and
// written to y[0], y[stride], ….

INLINE void butterfly2(const complex4 *x, int64_t step, complex4 *y, int64_t stride, const double *w) {
  complex4 a = x[0], b = x[step];
  y[0] = add(a, b);
  y[stride] = turn(subtract(a, b), w + 2);
}

INLINE void butterfly4(const complex4 *x, int64_t step, complex4 *y, int64_t stride, const double *w) {
  complex4 a = add(x[0], x[2 * step]), b = subtract(x[0], x[2 * step]);
  complex4 c = add(x[step], x[3 * step]), d = times_minus_i(subtract(x[step], x[3 * step]));
  y[0] = add(a, c);
  y[stride] = turn(add(b, d), w + 2);
  y[2 * stride] = turn(subtract(a, c), w + 4);
  y[3 * stride] = turn(subtract(b, d), w + 6);
}

INLINE void butterfly5(const complex4 *x, int64_t step, complex4 *y, int64_t stride, const double *w) {
  // cos and sin of 2π/5 and 4π/5.
  const double c1 = 0.3090169943749474241, s1 = 0.9510565162951535721;
  const double c2 = -0.8090169943749474241, s2 = 0.5877852522924731292;
  complex4 x0 = x[0];
  complex4 sum14 = add(x[step], x[4 * step]), difference14 = subtract(x[step], x[4 * step]);
  complex4 sum23 = add(x[2 * step], x[3 * step]), difference23 = subtract(x[2 * step], x[3 * step]);
  complex4 even1 = add(add(x0, scale(c1, sum14)), scale(c2, sum23));
  complex4 even2 = add(add(x0, scale(c2, sum14)), scale(c1, sum23));
  complex4 odd1 = times_minus_i(add(scale(s1, difference14), scale(s2, difference23)));
  complex4 odd2 = times_minus_i(subtract(scale(s2, difference14), scale(s1, difference23)));
  y[0] = add(add(x0, sum14), sum23);
  y[stride] = turn(add(even1, odd1), w + 2);
  y[2 * stride] = turn(add(even2, odd2), w + 4);
  y[3 * stride] = turn(subtract(even2, odd2), w + 6);
  y[4 * stride] = turn(subtract(even1, odd1), w + 8);
}

#define EACH_BUTTERFLY(butterfly)                                                             \
  for (int64_t p = 0; p < groups; p++)                                                        \
    for (int64_t q = 0; q < stride; q++)                                                      \
      butterfly(from + q + stride * p, groups * stride, to + q + stride * pass.radix * p, stride, \
                pass.twiddles + 2 * p * pass.radix);

KERNEL void audio_power(const audio_pass *passes, size_t count, const double *separation, size_t half, double *complex,
                        double *scratch, double *power) {
  complex4 *from = (complex4 *)complex, *to = (complex4 *)scratch;
  for (size_t i = 0; i < count; i++) {
    audio_pass pass = passes[i];
    int64_t groups = pass.length / pass.radix, stride = pass.stride;
    if (pass.radix == 2) {
      EACH_BUTTERFLY(butterfly2)
    } else if (pass.radix == 4) {
      EACH_BUTTERFLY(butterfly4)
    } else {
      EACH_BUTTERFLY(butterfly5)
    }
    complex4 *other = from;
    from = to;
    to = other;
  }
  double4 *bins = (double4 *)power;
  for (size_t k = 0; k <= half; k++) {
    complex4 a = from[k == half ? 0 : k], b = from[k == 0 ? 0 : half - k];
    b.imaginary = -b.imaginary;
    complex4 even = add(a, b), odd = turn(times_minus_i(subtract(a, b)), separation + 2 * k);
    complex4 bin = add(even, odd);  // twice the bin
    bins[k] = 0.25 * (bin.real * bin.real + bin.imaginary * bin.imaginary);
  }
}

KERNEL void audio_filters(const double *power, const int32_t *first, const int32_t *count, const double *weights,
                          size_t bands, double *energies) {
  const double4 *bins = (const double4 *)power;
  double4 *result = (double4 *)energies;
  for (size_t band = 0; band < bands; band++) {
    double4 sum = {0};
    const double4 *bin = bins + first[band];
    for (int32_t i = 0; i < count[band]; i++) sum += weights[i] * bin[i];
    weights += count[band];
    result[band] = sum;
  }
}
