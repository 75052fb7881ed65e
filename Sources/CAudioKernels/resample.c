#include "kernel.h"
#include <string.h>

typedef float float8 __attribute__((vector_size(32)));

KERNEL void audio_resample(const float *x, int64_t step, int64_t phases, const int32_t *starts, const float *taps,
                           size_t length, int64_t first, size_t count, float *y) {
  int64_t q = first / phases, j = first % phases;
  for (size_t m = 0; m < count; m++) {
    const float *signal = x + q * step + starts[j];
    const float *filter = taps + (size_t)j * length;
    float8 sum = {0};
    for (size_t k = 0; k < length; k += 8) {
      float8 a, b;
      memcpy(&a, signal + k, sizeof a);
      memcpy(&b, filter + k, sizeof b);
      sum += a * b;
    }
    y[m] = ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
    if (++j == phases) {
      j = 0;
      q++;
    }
  }
}
