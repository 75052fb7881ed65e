// The passes over samples that take long: resampling and the spectra of frames.
//
// Each is compiled for AVX-512, AVX2 and the baseline, chosen at load time, and gives the same bits on all of them:
// nothing is contracted, and sums are taken in lanes whose number does not depend on the processor.
#ifndef CAUDIOKERNELS_H
#define CAUDIOKERNELS_H

#include <stddef.h>
#include <stdint.h>

// ---- resample.c

/// Samples `first ..< first + count` of a resampled signal: y[m] = sum over k of x[q·step + starts[j] + k] · taps[j][k]
/// with m = q·phases + j, sums over `length` taps, a multiple of 8. `x` points to the signal's sample 0, of which those
/// that are asked for must be there.
void audio_resample(const float *x, int64_t step, int64_t phases, const int32_t *starts, const float *taps,
                    size_t length, int64_t first, size_t count, float *y);

// ---- spectrum.c
//
// Four frames at a time, one in a lane: a number of theirs is four doubles. Lanes never meet, so a frame's spectrum has
// the same bits whatever its neighbours are.

/// One pass of Stockham's transform: `length / radix` groups of butterflies, repeated `stride` times. `twiddles` are
/// cosine and sine of exp(-2πi·p·j / length) at p · radix + j.
typedef struct {
  int64_t radix, length, stride;
  const double *twiddles;
} audio_pass;

/// Frames as complex numbers, x[2n] + i·x[2n+1]: `padded / 2` of them, zeros from `length` on. A sample is multiplied
/// with `scale`, has the frame's mean taken off where `removes_mean` says so, `preemphasis` times its forerunner (its own
/// value at n = 0), and is multiplied with the window.
void audio_frames(const float *const frames[4], const double *window, size_t length, size_t padded, double scale,
                  int removes_mean, double preemphasis, double *complex);

/// The squared magnitudes of the `half + 1` bins of 2 · half real samples. `complex` is overwritten, `scratch` is as long,
/// `separation` is cosine and sine of exp(-2πi·k / (2 · half)) for k = 0 ... half.
void audio_power(const audio_pass *passes, size_t count, const double *separation, size_t half, double *complex,
                 double *scratch, double *power);

/// The energy in each band: the sum of the bins from its first on times its weights, which lie one band after another.
void audio_filters(const double *power, const int32_t *first, const int32_t *count, const double *weights,
                   size_t bands, double *energies);

// ---- convolve.c
//
// Complex numbers in single precision, real and imaginary parts in arrays of their own.

/// One pass of Stockham's transform of radix 4, or 2 where `groups` is 1: `groups` butterflies, repeated `stride` times.
/// `twiddles` are six arrays of `groups`, cosine and sine of exp(-2πi·p·j / (4 · groups)) for j = 1, 2, 3.
void audio_convolution_pass(size_t radix, size_t groups, size_t stride, const float *twiddles, const float *xr,
                            const float *xi, float *yr, float *yi);

/// x[k] = x[k] · h[k] · scale
void audio_convolution_product(size_t count, float scale, const float *hr, const float *hi, float *xr, float *xi);

/// y[n] += gain · x[n]
void audio_add_scaled(size_t count, float gain, const float *x, float *y);

/// The sum of x[n]², in double precision.
double audio_square_sum(size_t count, const float *x);

#endif
