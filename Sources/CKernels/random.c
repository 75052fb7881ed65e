#include "kernel.h"
#include <string.h>

#define LANES 16
#define LOW(x) ((x) & 0xFFFFFFFFu)

// Sixteen Philox blocks side by side. Words live in the low halves of 64-bit lanes, where the 32 × 32 → 64 bit
// products of the rounds fall into place; upper halves may hold anything and are dropped at the end.
KERNEL void kernel_keep_mask(const uint32_t key[2], const uint32_t counter[4], uint32_t threshold, size_t count,
                             uint8_t *keep) {
  if (threshold > 0xFFFFu) {  // no 16-bit number reaches it
    memset(keep, 0, count);
    return;
  }
  for (size_t start = 0; start < count; start += 8 * LANES) {
    uint64_t a[LANES], b[LANES], c[LANES], d[LANES];
    for (int i = 0; i < LANES; i++) {
      a[i] = counter[0] + (uint32_t)(start / 8) + (uint32_t)i;
      b[i] = counter[1];
      c[i] = counter[2];
      d[i] = counter[3];
    }
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
      for (int i = 0; i < LANES; i++) {
        uint64_t p = 0xD2511F53u * LOW(a[i]), q = 0xCD9E8D57u * LOW(c[i]);
        a[i] = (q >> 32) ^ b[i] ^ k0;
        c[i] = (p >> 32) ^ d[i] ^ k1;
        b[i] = q;
        d[i] = p;
      }
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    // A block is eight 16-bit numbers, low halves first.
    uint64_t blocks[2 * LANES];
    for (int i = 0; i < LANES; i++) {
      blocks[2 * i] = LOW(a[i]) | b[i] << 32;
      blocks[2 * i + 1] = LOW(c[i]) | d[i] << 32;
    }
    uint16_t numbers[8 * LANES];
    memcpy(numbers, blocks, sizeof numbers);
    uint16_t least = (uint16_t)threshold;
    if (count - start >= 8 * LANES) {
      for (int i = 0; i < 8 * LANES; i++) keep[start + i] = numbers[i] >= least;
    } else {
      for (size_t i = 0; i < count - start; i++) keep[start + i] = numbers[i] >= least;
    }
  }
}
