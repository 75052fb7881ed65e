#include "kernel.h"

KERNEL void kernel_adamw(size_t count, float learning_rate, float weight_decay, float beta1, float beta2,
                         float epsilon, float correction1, float correction2_sqrt, const float *restrict gradient,
                         float *restrict moment, float *restrict variance, float *restrict parameter) {
  const float decay = 1.0f - learning_rate * weight_decay;
  const float step_size = learning_rate / correction1, inverse2 = 1.0f / correction2_sqrt;
  // Not sqrtf, whose errno would keep the loop from being vectorized.
  for (size_t i = 0; i < count; i++) {
    float g = gradient[i];
    float m = moment[i] + (g - moment[i]) * (1.0f - beta1);
    float v = variance[i] * beta2 + g * g * (1.0f - beta2);
    moment[i] = m;
    variance[i] = v;
    parameter[i] = parameter[i] * decay - step_size * (m / (__builtin_elementwise_sqrt(v) * inverse2 + epsilon));
  }
}
