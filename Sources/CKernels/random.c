#include "kernel.h"

#define LANES 16

// Sixteen Philox blocks side by side, so that the rounds are plain vector code.
KERNEL void kernel_keep_mask(const uint32_t key[2], const uint32_t counter[4], uint32_t threshold, size_t count,
                             uint8_t *keep) {
  for (size_t start = 0; start < count; start += 8 * LANES) {
    uint32_t a[LANES], b[LANES], c[LANES], d[LANES];
    for (int i = 0; i < LANES; i++) {
      a[i] = counter[0] + (uint32_t)(start / 8) + (uint32_t)i;
      b[i] = counter[1];
      c[i] = counter[2];
      d[i] = counter[3];
    }
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
      for (int i = 0; i < LANES; i++) {
        uint64_t p = (uint64_t)0xD2511F53u * a[i], q = (uint64_t)0xCD9E8D57u * c[i];
        uint32_t na = (uint32_t)(q >> 32) ^ b[i] ^ k0, nc = (uint32_t)(p >> 32) ^ d[i] ^ k1;
        b[i] = (uint32_t)q;
        d[i] = (uint32_t)p;
        a[i] = na;
        c[i] = nc;
      }
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    uint8_t block[8 * LANES];
    for (int i = 0; i < LANES; i++) {
      block[8 * i + 0] = (a[i] & 0xFFFFu) >= threshold;
      block[8 * i + 1] = (a[i] >> 16) >= threshold;
      block[8 * i + 2] = (b[i] & 0xFFFFu) >= threshold;
      block[8 * i + 3] = (b[i] >> 16) >= threshold;
      block[8 * i + 4] = (c[i] & 0xFFFFu) >= threshold;
      block[8 * i + 5] = (c[i] >> 16) >= threshold;
      block[8 * i + 6] = (d[i] & 0xFFFFu) >= threshold;
      block[8 * i + 7] = (d[i] >> 16) >= threshold;
    }
    size_t n = count - start < 8 * LANES ? count - start : 8 * LANES;
    for (size_t i = 0; i < n; i++) keep[start + i] = block[i];
  }
}
