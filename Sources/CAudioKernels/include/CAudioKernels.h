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

#endif
