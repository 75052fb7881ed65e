#include "kernel.h"
#include <string.h>

#define CHANNELS 16
#define FRAMES 8
#define TAPS 8

// y[t] = Σ_k padded[t + k] ∘ weight[k] for a block of channels: sums stay in registers while the taps go by.
INLINE void convolve_block(size_t frames, size_t channels, size_t D, size_t K, const float *padded,
                           const float *weight, const float *bias, float *y) {
  float sums[FRAMES][CHANNELS];
  for (size_t t = 0; t < frames; t++)
    for (size_t c = 0; c < channels; c++) sums[t][c] = bias ? bias[c] : 0;
  for (size_t k = 0; k < K; k++)
    for (size_t t = 0; t < frames; t++)
      for (size_t c = 0; c < channels; c++) sums[t][c] += padded[(t + k) * D + c] * weight[k * D + c];
  for (size_t t = 0; t < frames; t++)
    for (size_t c = 0; c < channels; c++) y[t * D + c] = sums[t][c];
}

// x between the zeros of the same padding, [T + K - 1, D].
INLINE void pad(size_t T, size_t D, size_t K, const float *x, float *padded) {
  size_t margin = (K / 2) * D;
  memset(padded, 0, margin * sizeof(float));
  memcpy(padded + margin, x, T * D * sizeof(float));
  memset(padded + margin + T * D, 0, margin * sizeof(float));
}

KERNEL void kernel_depthwise(size_t T, size_t D, size_t K, const float *restrict x, const float *restrict weight,
                             const float *restrict bias, float *restrict padded, float *restrict y) {
  pad(T, D, K, x, padded);
  for (size_t c = 0; c < D; c += CHANNELS) {
    size_t channels = D - c < CHANNELS ? D - c : CHANNELS;
    const float *b = bias ? bias + c : NULL;
    for (size_t t = 0; t < T; t += FRAMES) {
      size_t frames = T - t < FRAMES ? T - t : FRAMES;
      if (frames == FRAMES && channels == CHANNELS)
        convolve_block(FRAMES, CHANNELS, D, K, padded + t * D + c, weight + c, b, y + t * D + c);
      else
        convolve_block(frames, channels, D, K, padded + t * D + c, weight + c, b, y + t * D + c);
    }
  }
}

INLINE void weight_block(size_t T, size_t taps, size_t channels, size_t D, const float *padded, const float *dy,
                         float *dweight) {
  float sums[TAPS][CHANNELS] = {{0}};
  for (size_t t = 0; t < T; t++)
    for (size_t k = 0; k < taps; k++)
      for (size_t c = 0; c < channels; c++) sums[k][c] += padded[(t + k) * D + c] * dy[t * D + c];
  for (size_t k = 0; k < taps; k++)
    for (size_t c = 0; c < channels; c++) dweight[k * D + c] += sums[k][c];
}

KERNEL void kernel_depthwise_weight_gradient(size_t T, size_t D, size_t K, const float *restrict x,
                                             const float *restrict dy, float *restrict padded,
                                             float *restrict dweight) {
  pad(T, D, K, x, padded);
  for (size_t c = 0; c < D; c += CHANNELS) {
    size_t channels = D - c < CHANNELS ? D - c : CHANNELS;
    for (size_t k = 0; k < K; k += TAPS) {
      size_t taps = K - k < TAPS ? K - k : TAPS;
      if (taps == TAPS && channels == CHANNELS)
        weight_block(T, TAPS, CHANNELS, D, padded + k * D + c, dy + c, dweight + k * D + c);
      else
        weight_block(T, taps, channels, D, padded + k * D + c, dy + c, dweight + k * D + c);
    }
  }
}

KERNEL void kernel_windows3(size_t T, size_t D, const float *restrict x, float *restrict windows) {
  for (size_t t = 0; t < T; t++) {
    float *row = windows + t * 3 * D;
    if (t > 0)
      memcpy(row, x + (t - 1) * D, D * sizeof(float));
    else
      memset(row, 0, D * sizeof(float));
    memcpy(row + D, x + t * D, D * sizeof(float));
    if (t + 1 < T)
      memcpy(row + 2 * D, x + (t + 1) * D, D * sizeof(float));
    else
      memset(row + 2 * D, 0, D * sizeof(float));
  }
}

KERNEL void kernel_windows3_backward(size_t T, size_t D, const float *restrict dwindows, float *restrict dx) {
  for (size_t t = 0; t < T; t++) {
    const float *row = dwindows + t * 3 * D;
    for (size_t i = 0; i < D; i++) {
      float sum = row[D + i];
      if (t > 0) sum += row[i - D];              // the last third of row t - 1
      if (t + 1 < T) sum += row[3 * D + i];      // the first third of row t + 1
      dx[t * D + i] = sum;
    }
  }
}

KERNEL void kernel_transpose(size_t R, size_t C, const float *restrict x, float *restrict y) {
  for (size_t r = 0; r < R; r++)
    for (size_t c = 0; c < C; c++) y[c * R + r] = x[r * C + c];
}
