// The vector kernels: every pass over memory, and the matrix products of a slice's size.
//
// Conventions. Matrices are row-major and dense; N is rows (frames of all samples of a slice), D is columns.
// `keep` is a dropout mask, one byte an element, 0 or 1, or NULL for no dropout; `scale` is 1 / (1 - p).
// Gradients of parameters are added to what is there; everything else is written. Pointers named alike in a
// declaration's comment may be equal; no others may overlap.
//
// Each kernel is compiled for AVX-512, AVX2 and the baseline and chosen at load time. The order of a sum
// depends on the shape alone, so equal shapes on equal processors give equal bits.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

/// The instruction set the kernels run on: "avx512", "avx2" or "baseline".
const char *kernel_instruction_set(void);

/// Makes the calling thread take numbers below 1.2e-38 as zero, as operands and as results. Some processors need a
/// hundred times longer for one of them, and a product with a few is slow throughout.
/// Returns the mode it had, for kernel_restore_denormals.
uint64_t kernel_flush_denormals(void);
void kernel_restore_denormals(uint64_t mode);

// ---- random.c

/// The first `count` elements of a Philox4x32-10 stream as keep bytes: keep[i] = (16-bit uniform >= threshold).
/// Eight elements use one block; `key` and `counter` are RandomStream's, word 0 of the counter is the block.
void kernel_keep_mask(const uint32_t key[2], const uint32_t counter[4], uint32_t threshold, size_t count,
                      uint8_t *keep);

// ---- product.c

/// c_MN = a · b, or c_MN += a · b when accumulating. a is [M, K], or [K, M] when transposed; b is [K, N], or [N, K] when
/// transposed. Rows are lda, ldb and ldc floats apart. For operands of at most a few hundred columns.
void kernel_product(int a_transposed, int b_transposed, size_t M, size_t N, size_t K, const float *a, size_t lda,
                    const float *b, size_t ldb, int accumulating, float *c, size_t ldc);
/// The same for one instruction set, which the processor must have: for tests and measurements.
#if defined(__x86_64__)
void kernel_product_avx512(int a_transposed, int b_transposed, size_t M, size_t N, size_t K, const float *a, size_t lda,
                           const float *b, size_t ldb, int accumulating, float *c, size_t ldc);
void kernel_product_avx2(int a_transposed, int b_transposed, size_t M, size_t N, size_t K, const float *a, size_t lda,
                         const float *b, size_t ldb, int accumulating, float *c, size_t ldc);
#endif
void kernel_product_baseline(int a_transposed, int b_transposed, size_t M, size_t N, size_t K, const float *a,
                             size_t lda, const float *b, size_t ldb, int accumulating, float *c, size_t ldc);

// ---- elementwise.c

/// y += x
void kernel_add(size_t count, const float *x, float *y);
/// y = a·x; y may be x.
void kernel_scale(size_t count, float a, const float *x, float *y);
/// y = x ∘ keep · scale; y may be x.
void kernel_dropout(size_t count, const float *x, const uint8_t *keep, float scale, float *y);
/// Every row of x_ND += bias_D
void kernel_add_bias(size_t N, size_t D, const float *bias, float *x);
/// sums_D += the sum of the rows of x_ND
void kernel_column_sums(size_t N, size_t D, const float *x, float *sums);

// ---- bfloat16.c

/// x rounded to the nearest bfloat16, ties to even; infinities and NaN stay.
void kernel_bfloat16_round(size_t count, float *x);
/// sum = x + y, rounded so; sum may be x or y.
void kernel_bfloat16_add(size_t count, const float *x, const float *y, float *sum);
/// The upper halves of x, which are bfloat16 numbers already; and back.
void kernel_bfloat16_pack(size_t count, const float *x, uint16_t *halves);
void kernel_bfloat16_unpack(size_t count, const uint16_t *halves, float *x);

// ---- activation.c

/// x = relu(x + bias) ∘ keep · scale
void kernel_bias_relu_dropout(size_t N, size_t D, const float *bias, const uint8_t *keep, float scale, float *x);
/// dx = dy · scale where y > 0, else 0; dbias += column sums; dx may be dy.
void kernel_relu_dropout_backward(size_t N, size_t D, const float *y, float scale, const float *dy, float *dx,
                                  float *dbias);
/// x += bias; y = x·σ(x) ∘ keep · scale
void kernel_bias_silu_dropout(size_t N, size_t D, const float *bias, const uint8_t *keep, float scale, float *x,
                              float *y);
/// dx from dy and the pre-activation x, and y once more; dbias += column sums; dx may be dy.
void kernel_silu_dropout_backward(size_t N, size_t D, const float *x, const uint8_t *keep, float scale,
                                  const float *dy, float *dx, float *y, float *dbias);
/// x = x·σ(x)
void kernel_silu(size_t count, float *x);
/// dx from dy and x, and x = x·σ(x) once more; dx may be dy.
void kernel_silu_backward(size_t count, float *x, const float *dy, float *dx);
/// x_N2D += bias_2D (NULL: none); y_ND = x[:, :D] ∘ σ(x[:, D:])
void kernel_bias_glu(size_t N, size_t D, const float *bias, float *x, float *y);
/// dx_N2D from dy_ND and x_N2D, and y_ND once more; dbias_2D += column sums (NULL: none); y may be dy.
void kernel_glu_backward(size_t N, size_t D, const float *x, const float *dy, float *dx, float *y, float *dbias);
/// x = σ(x + bias)
void kernel_bias_sigmoid(size_t N, size_t D, const float *bias, float *x);
/// dx = dy·y·(1 - y); dbias += column sums; dx may be dy.
void kernel_sigmoid_backward(size_t N, size_t D, const float *y, const float *dy, float *dx, float *dbias);
/// x = tanh(x + bias)
void kernel_bias_tanh(size_t N, size_t D, const float *bias, float *x);
/// dx = dy·(1 - y²); dbias += column sums; dx may be dy.
void kernel_tanh_backward(size_t N, size_t D, const float *y, const float *dy, float *dx, float *dbias);

// ---- softmax.c

/// x_ND = softmax of its rows times `temperature`; dropped_ND = x ∘ keep · scale (not written when keep is NULL).
void kernel_softmax_dropout(size_t N, size_t D, float temperature, const uint8_t *keep, float scale, float *x,
                            float *dropped);
/// dx_ND = temperature · (dp - Σ dp∘p) ∘ p with dp = dy ∘ keep · scale; dx may be dy.
void kernel_softmax_dropout_backward(size_t N, size_t D, float temperature, const uint8_t *keep, float scale,
                                     const float *p, const float *dy, float *dx);
/// Cross entropy of logits_NC: loss_N = -log softmax at the label; correct_N = 1 when the first largest logit is
/// the label's; dlogits_NC = (softmax - onehot) · gradient_scale (NULL: not wanted).
void kernel_cross_entropy(size_t N, size_t C, const float *logits, const int32_t *labels, float gradient_scale,
                          float *loss, int32_t *correct, float *dlogits);

// ---- normalization.c

/// LayerNorm of s = x + (branch + bias) ∘ keep · scale. xhat = (s - mean)·rstd, y = xhat ∘ gamma + beta.
/// xhat may be branch.
void kernel_residual_norm(size_t N, size_t D, const float *x, const float *branch, const float *bias,
                          const uint8_t *keep, float scale, const float *gamma, const float *beta, float epsilon,
                          float *y, float *xhat, float *rstd);
/// LayerNorm of x: xhat = (x - mean)·rstd, y = xhat ∘ gamma + beta; y may be x.
void kernel_norm(size_t N, size_t D, const float *x, const float *gamma, const float *beta, float epsilon, float *y,
                 float *xhat, float *rstd);
/// y = xhat ∘ gamma + beta
void kernel_scale_shift(size_t N, size_t D, const float *gamma, const float *beta, const float *xhat, float *y);
/// dx of LayerNorm; dgamma, dbeta += ; dx may be dy.
void kernel_norm_backward(size_t N, size_t D, const float *xhat, const float *rstd, const float *gamma,
                          const float *dy, float *dx, float *dgamma, float *dbeta);
/// dx = dy ∘ keep · scale · factor; dbias += column sums; dx may be dy.
void kernel_bias_dropout_backward(size_t N, size_t D, const uint8_t *keep, float scale, const float *dy, float *dx,
                                  float *dbias);
/// x += factor · ((branch + bias) ∘ keep · scale)
void kernel_add_branch(size_t N, size_t D, const float *branch, const float *bias, const uint8_t *keep, float scale,
                       float factor, float *x);

/// Rows divided by their length (at least 1e-12): y = x / |x|; lengths_N = |x|.
void kernel_normalize_rows(size_t N, size_t D, const float *x, float *y, float *lengths);
/// dx = (dy - y·(y·dy)) / length; dx may be dy; added to dx when accumulating.
void kernel_normalize_rows_backward(size_t N, size_t D, const float *y, const float *lengths, const float *dy,
                                    int accumulating, float *dx);

/// squares_D += Σ (x - mean_D)² over the rows.
void kernel_column_squares(size_t N, size_t D, const float *mean, const float *x, float *squares);
/// BatchNorm with given statistics: xhat = (x - mean)·rstd, y = xhat ∘ gamma + beta; xhat may be x.
void kernel_batch_norm(size_t N, size_t D, const float *mean, const float *rstd, const float *gamma,
                       const float *beta, const float *x, float *xhat, float *y);
/// sums of dy and of dy ∘ xhat over the rows, added to dbeta_D and dgamma_D.
void kernel_batch_norm_sums(size_t N, size_t D, const float *xhat, const float *dy, float *dgamma, float *dbeta);
/// dx = gamma·rstd·(dy - mean_dy - xhat·mean_dy_xhat); dx may be dy.
void kernel_batch_norm_backward(size_t N, size_t D, const float *xhat, const float *rstd, const float *gamma,
                                const float *mean_dy, const float *mean_dy_xhat, const float *dy, float *dx);

// ---- convolution.c

/// Depthwise convolution over time, same padding. x_TD, weight_KD (tap-major), bias_D or NULL, K odd.
/// padded is room for (T + K - 1)·D floats.
void kernel_depthwise(size_t T, size_t D, size_t K, const float *x, const float *weight, const float *bias,
                      float *padded, float *y);
/// dweight_KD += Σ_t dy[t] ∘ x[t + k - K/2]
void kernel_depthwise_weight_gradient(size_t T, size_t D, size_t K, const float *x, const float *dy, float *padded,
                                      float *dweight);

/// windows_T3D: row t holds x[t-1], x[t], x[t+1], zeros beyond the ends: what a convolution of width 3 multiplies.
void kernel_windows3(size_t T, size_t D, const float *x, float *windows);
/// dx[t] = the sum of the parts of dwindows that came from x[t].
void kernel_windows3_backward(size_t T, size_t D, const float *dwindows, float *dx);
/// y_CR = the transpose of x_RC.
void kernel_transpose(size_t R, size_t C, const float *x, float *y);

// ---- pooling.c

/// mean_BD over the T rows of each sample of x.
void kernel_mean_rows(size_t B, size_t T, size_t D, const float *x, float *mean);
/// dx: every row of a sample gets dmean / T.
void kernel_mean_rows_backward(size_t B, size_t T, size_t D, const float *dmean, float *dx);
/// sums_BD = Σ_t weights_BT · x.
void kernel_weighted_rows(size_t B, size_t T, size_t D, const float *weights, const float *x, float *sums);
/// dweights_BT = x · dsums; dx = weights · dsums.
void kernel_weighted_rows_backward(size_t B, size_t T, size_t D, const float *weights, const float *x,
                                   const float *dsums, float *dweights, float *dx);

// ---- features.c: log-mel features, `units` of which are a factor of e in energy

/// energies = exp(x · inverse_units), of at most exp(80); energies may be x. Gives their sum, of pieces of 256 elements.
double kernel_energies(size_t count, float inverse_units, const float *x, float *energies);
/// y += a · x
void kernel_add_scaled(size_t count, float a, const float *x, float *y);
/// x = units · ln(energies), which are normal positive numbers.
void kernel_logarithms(size_t count, float units, const float *energies, float *x);
/// x = max(x + shift, floor)
void kernel_shift(size_t count, float shift, float floor, float *x);
/// y = a + weight · (b - a); y may be a or b.
void kernel_blend(size_t count, float weight, const float *a, const float *b, float *y);
/// y_ND[:, i] = max(x[:, from_i] + weight_i · (x[:, from_i + 1] - x[:, from_i]) + shift_i, floor). Where weight is 0,
/// column from_i + 1 is not read.
void kernel_move_bands(size_t N, size_t D, const int32_t *from, const float *weight, const float *shift, float floor,
                       const float *x, float *y);

// ---- optimizer.c

/// AdamW (Loshchilov and Hutter, ICLR 2019) in PyTorch's order of operations, over one run of elements.
/// bias corrections are 1 - βᵗ; step_size = learning_rate / correction1.
void kernel_adamw(size_t count, float learning_rate, float weight_decay, float beta1, float beta2, float epsilon,
                  float correction1, float correction2_sqrt, const float *gradient, float *moment, float *variance,
                  float *parameter);

#endif
