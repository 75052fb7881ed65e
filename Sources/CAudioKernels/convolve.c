#include "kernel.h"

// A transform of length four over numbers that lie `step` apart, its outputs turned by the twiddle factors and written
// `out` apart.
INLINE void butterfly4(const float *restrict xr, const float *restrict xi, size_t step, float *restrict yr,
                       float *restrict yi, size_t out, const float w[6]) {
  float ar = xr[0] + xr[2 * step], ai = xi[0] + xi[2 * step];
  float br = xr[0] - xr[2 * step], bi = xi[0] - xi[2 * step];
  float cr = xr[step] + xr[3 * step], ci = xi[step] + xi[3 * step];
  // -i times the difference.
  float dr = xi[step] - xi[3 * step], di = xr[3 * step] - xr[step];
  float er = br + dr, ei = bi + di, fr = ar - cr, fi = ai - ci, gr = br - dr, gi = bi - di;
  yr[0] = ar + cr;
  yi[0] = ai + ci;
  yr[out] = er * w[0] - ei * w[1];
  yi[out] = er * w[1] + ei * w[0];
  yr[2 * out] = fr * w[2] - fi * w[3];
  yi[2 * out] = fr * w[3] + fi * w[2];
  yr[3 * out] = gr * w[4] - gi * w[5];
  yi[3 * out] = gr * w[5] + gi * w[4];
}

KERNEL void audio_convolution_pass(size_t radix, size_t groups, size_t stride, const float *restrict twiddles,
                                   const float *restrict xr, const float *restrict xi, float *restrict yr,
                                   float *restrict yi) {
  const size_t step = groups * stride;
  if (radix == 2) {
    // The last pass alone: one group, whose factors are 1.
    for (size_t q = 0; q < stride; q++) {
      yr[q] = xr[q] + xr[q + step];
      yi[q] = xi[q] + xi[q + step];
      yr[q + stride] = xr[q] - xr[q + step];
      yi[q + stride] = xi[q] - xi[q + step];
    }
  } else if (stride == 1) {
    for (size_t p = 0; p < groups; p++) {
      const float w[6] = {twiddles[p],
                          twiddles[p + groups],
                          twiddles[p + 2 * groups],
                          twiddles[p + 3 * groups],
                          twiddles[p + 4 * groups],
                          twiddles[p + 5 * groups]};
      butterfly4(xr + p, xi + p, step, yr + 4 * p, yi + 4 * p, 1, w);
    }
  } else {
    for (size_t p = 0; p < groups; p++) {
      const float w[6] = {twiddles[p],
                          twiddles[p + groups],
                          twiddles[p + 2 * groups],
                          twiddles[p + 3 * groups],
                          twiddles[p + 4 * groups],
                          twiddles[p + 5 * groups]};
      const float *br = xr + stride * p, *bi = xi + stride * p;
      float *cr = yr + 4 * stride * p, *ci = yi + 4 * stride * p;
      for (size_t q = 0; q < stride; q++) butterfly4(br + q, bi + q, step, cr + q, ci + q, stride, w);
    }
  }
}

KERNEL void audio_convolution_product(size_t count, float scale, const float *restrict hr, const float *restrict hi,
                                      float *restrict xr, float *restrict xi) {
  for (size_t k = 0; k < count; k++) {
    float re = (xr[k] * hr[k] - xi[k] * hi[k]) * scale;
    xi[k] = (xr[k] * hi[k] + xi[k] * hr[k]) * scale;
    xr[k] = re;
  }
}

KERNEL void audio_add_scaled(size_t count, float gain, const float *restrict x, float *restrict y) {
  for (size_t n = 0; n < count; n++) y[n] += gain * x[n];
}

KERNEL double audio_square_sum(size_t count, const float *restrict x) {
  double sums[8] = {0};
  size_t n = 0;
  for (; n + 8 <= count; n += 8)
    for (size_t lane = 0; lane < 8; lane++) sums[lane] += (double)x[n + lane] * (double)x[n + lane];
  for (size_t lane = 0; n < count; n++, lane++) sums[lane] += (double)x[n] * (double)x[n];
  return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}
