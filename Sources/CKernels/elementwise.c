#include "CKernels.h"
#include "vectorised.h"

KERNEL void ks_dropout(const float *x, float *y, const uint32_t *row_keys, uint32_t salt, float probability,
                       ptrdiff_t rows, ptrdiff_t columns) {
  VECTORISED
  // An element is kept where its hash, of 24 bits, is at or above the threshold.
  uint32_t threshold = (uint32_t)(probability * 16777216.0f);
  float scale = 1.0f / (1.0f - probability);
  for (ptrdiff_t i = 0; i < rows; i++) {
    const float *xi = x + i * columns;
    float *yi = y + i * columns;
    uint32_t key = row_keys[i] ^ salt;
    for (ptrdiff_t j = 0; j < columns; j++) {
      // Two rounds of multiply and shift ("lowbias32", Wellons, https://nullprogram.com/blog/2018/07/31/).
      uint32_t h = key + (uint32_t)j * 0x9e3779b9u;
      h = (h ^ (h >> 16)) * 0x7feb352du;
      h = (h ^ (h >> 15)) * 0x846ca68bu;
      h ^= h >> 16;
      yi[j] = (h >> 8) >= threshold ? xi[j] * scale : 0.0f;
    }
  }
}

KERNEL void ks_adamw(float *parameters, const float *gradients, float *first_moments, float *second_moments,
                     ptrdiff_t count, float gradient_scale, float learning_rate, float beta1, float beta2,
                     float epsilon, float weight_decay, float correction1, float correction2) {
  VECTORISED
  float step = learning_rate / correction1, root = 1.0f / sqrtf(correction2);
  for (ptrdiff_t i = 0; i < count; i++) {
    float g = gradients[i] * gradient_scale;
    float m = first_moments[i] + (1.0f - beta1) * (g - first_moments[i]);
    float v = beta2 * second_moments[i] + (1.0f - beta2) * g * g;
    first_moments[i] = m;
    second_moments[i] = v;
    float kept = parameters[i] * (1.0f - learning_rate * weight_decay);
    parameters[i] = kept - step * m / (vectorised_sqrt(v) * root + epsilon);
  }
}

KERNEL void ks_add(const float *x, float *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] += x[i];
}

KERNEL void ks_add_scaled(const float *x, float scale, float *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] += scale * x[i];
}

KERNEL void ks_scale(const float *x, float scale, float *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] = scale * x[i];
}

KERNEL void ks_add_bias(float *y, ptrdiff_t stride, const float *bias, ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t i = 0; i < rows; i++)
    for (ptrdiff_t j = 0; j < columns; j++) y[i * stride + j] += bias[j];
}

KERNEL void ks_bias_backward(const float *dy, ptrdiff_t stride, float *d_bias, ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t i = 0; i < rows; i++)
    for (ptrdiff_t j = 0; j < columns; j++) d_bias[j] += dy[i * stride + j];
}

KERNEL double ks_sum_of_squares(const float *x, ptrdiff_t count) {
  VECTORISED
  double sum = 0;
  for (ptrdiff_t i = 0; i < count; i++) sum += (double)x[i] * (double)x[i];
  return sum;
}

KERNEL ptrdiff_t ks_argmax(const float *x, ptrdiff_t count) {
  float largest = vectorised_maximum(x, count);
  for (ptrdiff_t i = 0; i < count; i++)
    if (x[i] == largest) return i;
  return 0;
}

KERNEL float ks_sum_at_least(const float *p, float threshold, ptrdiff_t count, ptrdiff_t *matches) {
  VECTORISED
  float sum = 0;
  int32_t found = 0;
  for (ptrdiff_t i = 0; i < count; i++) {
    sum += p[i] >= threshold ? p[i] : 0.0f;
    found += p[i] >= threshold;
  }
  *matches = found;
  return sum;
}
