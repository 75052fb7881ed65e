#ifndef AUDIO_KERNEL_H
#define AUDIO_KERNEL_H

#include "include/CAudioKernels.h"

// One binary for every x86-64 processor: three versions of each kernel, chosen when the program is loaded. Not under
// the thread sanitizer: it instruments the functions that choose, and they run before it is there.
#if defined(__x86_64__) && !__has_feature(thread_sanitizer)
#define KERNEL __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define KERNEL
#endif

#define INLINE static inline __attribute__((always_inline))

#endif
