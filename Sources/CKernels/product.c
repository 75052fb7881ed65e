#include "kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Matrix products of the sizes that a slice has: hundreds of rows, tens to hundreds of columns. A library packs both
// operands for the sake of large ones, and pays for it again in every small product; here only b is packed.

#define UNROLLED _Pragma("clang loop unroll(full)")
#define CONCAT_NOW(x, y) x##y
#define CONCAT(x, y) CONCAT_NOW(x, y)
#define UP_TO_4(X, V, T) X(1, V, T) X(2, V, T) X(3, V, T) X(4, V, T)
#define UP_TO_6(X, V, T) UP_TO_4(X, V, T) X(5, V, T) X(6, V, T)
#define UP_TO_9(X, V, T) UP_TO_6(X, V, T) X(7, V, T) X(8, V, T) X(9, V, T)
#define UP_TO_12(X, V, T) UP_TO_9(X, V, T) X(10, V, T) X(11, V, T) X(12, V, T)
#define UP_TO_14(X, V, T) UP_TO_12(X, V, T) X(13, V, T) X(14, V, T)

// The longest run of k for which a panel of b is held.
enum { DEPTH = 256 };

#if defined(__x86_64__)
// 32 registers of 16 floats.
#define NAME(x) x##_avx512
#define TARGET __attribute__((target("arch=x86-64-v4")))
#define LANES 16
#define TILE_1 14
#define TILE_2 14
#define TILE_3 9
#include "product_tile.h"

// 16 registers of 8 floats.
static const int32_t first_lanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
#define NAME(x) x##_avx2
#define TARGET __attribute__((target("arch=x86-64-v3")))
#define LANES 8
#define TILE_1 12
#define TILE_2 6
#define TILE_3 4
#include "product_tile.h"
#endif

// 16 registers of 4 floats: SSE2, or NEON's first half.
#define NAME(x) x##_baseline
#define TARGET
#define LANES 4
#define TILE_1 12
#define TILE_2 6
#define TILE_3 4
#include "product_tile.h"

#if defined(__x86_64__)
typedef void product(int, int, size_t, size_t, size_t, const float *, size_t, const float *, size_t, int, float *,
                     size_t);

// Runs when the program is loaded, before anything of it is ready.
static product *choose_product(void) {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4")) return kernel_product_avx512;
  if (__builtin_cpu_supports("x86-64-v3")) return kernel_product_avx2;
  return kernel_product_baseline;
}

product kernel_product __attribute__((ifunc("choose_product")));
#else
void kernel_product(int a_transposed, int b_transposed, size_t M, size_t N, size_t K, const float *a, size_t lda,
                    const float *b, size_t ldb, int accumulating, float *c, size_t ldc) {
  kernel_product_baseline(a_transposed, b_transposed, M, N, K, a, lda, b, ldb, accumulating, c, ldc);
}
#endif
