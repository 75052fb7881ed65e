#include "kernel.h"

// The bits of the nearest bfloat16, ties to even, as the upper half of a float: adds half a unit in the last place, or
// what makes a tie even, and cuts. NaN would run over: it keeps its sign and becomes quiet.
INLINE int32_t nearest_bfloat16(float x) {
  union { float f; uint32_t i; } u = {x};
  uint32_t nearest = u.i + 0x7FFF + (u.i >> 16 & 1);
  uint32_t chosen = (u.i & 0x7FFFFFFF) > 0x7F800000 ? u.i | 0x00400000 : nearest;
  return (int32_t)(chosen & 0xFFFF0000);
}

KERNEL void kernel_bfloat16_round(size_t count, float *x) {
  for (size_t i = 0; i < count; i++) x[i] = bits_to_float(nearest_bfloat16(x[i]));
}

KERNEL void kernel_bfloat16_add(size_t count, const float *x, const float *y, float *sum) {
  ELEMENTWISE
  for (size_t i = 0; i < count; i++) sum[i] = bits_to_float(nearest_bfloat16(x[i] + y[i]));
}

KERNEL void kernel_bfloat16_pack(size_t count, const float *restrict x, uint16_t *restrict halves) {
  for (size_t i = 0; i < count; i++) {
    union { float f; uint32_t i; } u = {x[i]};
    halves[i] = (uint16_t)(u.i >> 16);
  }
}

KERNEL void kernel_bfloat16_unpack(size_t count, const uint16_t *restrict halves, float *restrict x) {
  for (size_t i = 0; i < count; i++) x[i] = bits_to_float((int32_t)((uint32_t)halves[i] << 16));
}
