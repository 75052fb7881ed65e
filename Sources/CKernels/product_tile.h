// The matrix product for one instruction set, included by product.c once for each. The includer defines
//   NAME(x)   the name of x for this instruction set
//   TARGET    the attribute that compiles a function for it
//   LANES     floats of a vector register
//   TILE_1, TILE_2, TILE_3
//             rows of the tallest tile that is 1, 2 or 3 vectors wide: as many as fit the registers beside a row of b
//
// Every element of c is one chain of multiply-adds over rising k, whatever the tile it falls into: its bits depend
// neither on the other rows and columns nor on the vectors' width.

typedef float NAME(vector) __attribute__((vector_size(LANES * 4)));
typedef float NAME(unaligned) __attribute__((vector_size(LANES * 4), aligned(4)));
#define vector NAME(vector)
#define unaligned NAME(unaligned)

// The first `count` floats at p, fewer than a vector; the rest is zero.
TARGET INLINE vector NAME(load_some)(const float *p, size_t count) {
#if LANES == 16
  return (vector)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
#elif LANES == 8
  return (vector)_mm256_maskload_ps(p, *(const __m256i_u *)(first_lanes + 8 - count));
#else
  vector x = {0};
  for (size_t lane = 0; lane < count; lane++) x[lane] = p[lane];
  return x;
#endif
}

TARGET INLINE void NAME(store_some)(float *p, size_t count, vector x) {
#if LANES == 16
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), (__m512)x);
#elif LANES == 8
  _mm256_maskstore_ps(p, *(const __m256i_u *)(first_lanes + 8 - count), (__m256)x);
#else
  for (size_t lane = 0; lane < count; lane++) p[lane] = x[lane];
#endif
}

// R rows and V vectors of c, held in registers over `depth` steps of k. With `adds`, c is where the sums begin. Of
// the last vector only `tail` floats are in c, or all when it is 0.
TARGET INLINE void NAME(tile)(const int R, const int V, const int a_transposed, size_t depth, const float *a,
                              size_t lda, const float *panel, int adds, float *c, size_t ldc, size_t tail) {
  const size_t row = a_transposed ? 1 : lda, step = a_transposed ? lda : 1;
  vector sum[TILE_1][3];
  UNROLLED for (int r = 0; r < R; r++) {
    UNROLLED for (int v = 0; v < V; v++) {
      const float *p = c + r * ldc + v * LANES;
      if (!adds)
        sum[r][v] = (vector){0};
      else
        sum[r][v] = v == V - 1 && tail ? NAME(load_some)(p, tail) : *(const unaligned *)p;
    }
  }
  for (size_t k = 0; k < depth; k++) {
    vector b[3];
    UNROLLED for (int v = 0; v < V; v++) b[v] = ((const vector *)panel)[v];
    UNROLLED for (int r = 0; r < R; r++) {
      UNROLLED for (int v = 0; v < V; v++) sum[r][v] += a[r * row] * b[v];
    }
    panel += V * LANES;
    a += step;
  }
  UNROLLED for (int r = 0; r < R; r++) {
    UNROLLED for (int v = 0; v < V; v++) {
      float *p = c + r * ldc + v * LANES;
      if (v == V - 1 && tail)
        NAME(store_some)(p, tail, sum[r][v]);
      else
        *(unaligned *)p = sum[r][v];
    }
  }
}

// A tile of V vectors and any number of rows up to TILE_V.
#define ONE_TILE(R, V, T) \
  case R: NAME(tile)(R, V, T, depth, a, lda, panel, adds, c, ldc, tail); break;
#define TILES(V, T, UP_TO)                                                                                         \
  TARGET static void NAME(tile_##V##T)(size_t rows, size_t depth, const float *a, size_t lda, const float *panel,   \
                                       int adds, float *c, size_t ldc, size_t tail) {                              \
    switch (rows) { UP_TO(ONE_TILE, V, T) }                                                                        \
  }
TILES(1, 0, CONCAT(UP_TO_, TILE_1))
TILES(2, 0, CONCAT(UP_TO_, TILE_2))
TILES(3, 0, CONCAT(UP_TO_, TILE_3))
TILES(1, 1, CONCAT(UP_TO_, TILE_1))
TILES(2, 1, CONCAT(UP_TO_, TILE_2))
TILES(3, 1, CONCAT(UP_TO_, TILE_3))

// 8 × 8 floats of b, transposed, into a panel of `width` columns.
TARGET INLINE void NAME(transpose_8)(const float *b, size_t ldb, float *panel, size_t width) {
  typedef float four __attribute__((vector_size(16), aligned(4)));
  typedef float eight __attribute__((vector_size(32)));
  typedef float eight_unaligned __attribute__((vector_size(32), aligned(4)));
#define PICK(x, y, i0, i1, i2, i3) \
  __builtin_shufflevector(x, y, i0, i1, i2, i3, i0 + 4, i1 + 4, i2 + 4, i3 + 4)
  UNROLLED for (size_t half = 0; half < 8; half += 4) {
    eight x[4];  // rows r and r + 4, columns half..<half+4 of each
    UNROLLED for (int r = 0; r < 4; r++) {
      four low = *(const four *)(b + r * ldb + half), high = *(const four *)(b + (r + 4) * ldb + half);
      x[r] = __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
    }
    eight first_01 = PICK(x[0], x[1], 0, 8, 1, 9), last_01 = PICK(x[0], x[1], 2, 10, 3, 11);
    eight first_23 = PICK(x[2], x[3], 0, 8, 1, 9), last_23 = PICK(x[2], x[3], 2, 10, 3, 11);
    float *p = panel + half * width;
    *(eight_unaligned *)p = PICK(first_01, first_23, 0, 1, 8, 9);
    *(eight_unaligned *)(p + width) = PICK(first_01, first_23, 2, 3, 10, 11);
    *(eight_unaligned *)(p + 2 * width) = PICK(last_01, last_23, 0, 1, 8, 9);
    *(eight_unaligned *)(p + 3 * width) = PICK(last_01, last_23, 2, 3, 10, 11);
  }
#undef PICK
}

// panel_kj = b_jk, zero from `columns` to `width`.
TARGET static void NAME(pack_transposed)(const float *b, size_t ldb, size_t depth, size_t columns, size_t width,
                                         float *panel) {
  size_t j = 0;
  for (; j + 8 <= columns; j += 8) {
    size_t k = 0;
    for (; k + 8 <= depth; k += 8) NAME(transpose_8)(b + j * ldb + k, ldb, panel + k * width + j, width);
    for (; k < depth; k++) {
      for (size_t i = j; i < j + 8; i++) panel[k * width + i] = b[i * ldb + k];
    }
  }
  for (; j < width; j++) {
    for (size_t k = 0; k < depth; k++) panel[k * width + j] = j < columns ? b[j * ldb + k] : 0;
  }
}

// panel_kj = b_kj, V vectors of it, of whose last `tail` floats are in b, or all when it is 0.
TARGET INLINE void NAME(copy)(const int V, const float *b, size_t ldb, size_t depth, size_t tail, float *panel) {
  for (size_t k = 0; k < depth; k++, b += ldb, panel += V * LANES) {
    UNROLLED for (int v = 0; v < V; v++) {
      const float *p = b + v * LANES;
      ((vector *)panel)[v] = v == V - 1 && tail ? NAME(load_some)(p, tail) : *(const unaligned *)p;
    }
  }
}

// By constants, as the compiler makes a call of memcpy out of any other loop.
TARGET static void NAME(pack)(size_t V, const float *b, size_t ldb, size_t depth, size_t tail, float *panel) {
  switch (V) {
    case 1: NAME(copy)(1, b, ldb, depth, tail, panel); break;
    case 2: NAME(copy)(2, b, ldb, depth, tail, panel); break;
    case 3: NAME(copy)(3, b, ldb, depth, tail, panel); break;
  }
}

// b is copied, a panel of up to three vectors' columns and DEPTH rows at a time, so that it is read from the first
// level of the cache; a is read where it is.
TARGET void NAME(kernel_product)(int a_transposed, int b_transposed, size_t M, size_t N, size_t K, const float *a,
                                 size_t lda, const float *b, size_t ldb, int accumulating, float *c, size_t ldc) {
  typedef void tile(size_t, size_t, const float *, size_t, const float *, int, float *, size_t, size_t);
  static tile *const tiles[2][3] = {
      {NAME(tile_10), NAME(tile_20), NAME(tile_30)}, {NAME(tile_11), NAME(tile_21), NAME(tile_31)}};
  static const size_t heights[3] = {TILE_1, TILE_2, TILE_3};
  _Alignas(64) float panel[DEPTH * 3 * LANES];
  // A transposed a touches a line of memory at every k.
  const size_t longest = a_transposed ? DEPTH / 2 : DEPTH;
  const size_t vectors = (N + LANES - 1) / LANES, panels = (vectors + 2) / 3;
  if (M == 0 || N == 0) return;
  size_t k = 0;
  do {  // at least once: a sum of nothing is zero
    const size_t depth = K - k < longest ? K - k : longest;
    const int adds = accumulating || k > 0;
    // Panels and tiles share what there is evenly: the sums of a small last one would wait for one another.
    for (size_t p = 0, j = 0; p < panels; p++) {
      const size_t V = vectors / panels + (p < vectors % panels), width = V * LANES;
      const size_t columns = N - j < width ? N - j : width;
      if (b_transposed)
        NAME(pack_transposed)(b + j * ldb + k, ldb, depth, columns, width, panel);
      else
        NAME(pack)(V, b + k * ldb + j, ldb, depth, columns % LANES, panel);
      const size_t bands = (M + heights[V - 1] - 1) / heights[V - 1], rows = M / bands, taller = M % bands;
      for (size_t band = 0, i = 0; band < bands; band++) {
        const size_t height = rows + (band < taller);
        const float *block = a_transposed ? a + k * lda + i : a + i * lda + k;
        tiles[a_transposed][V - 1](height, depth, block, lda, panel, adds, c + i * ldc + j, ldc, columns % LANES);
        i += height;
      }
      j += width;
    }
    k += longest;
  } while (k < K);
}

#undef vector
#undef unaligned
#undef ONE_TILE
#undef TILES
// What the includer defined, to be defined anew.
#undef NAME
#undef TARGET
#undef LANES
#undef TILE_1
#undef TILE_2
#undef TILE_3
