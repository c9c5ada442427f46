#include "CKernels.h"
#include "vectorised.h"

KERNEL void ks_softmax(float *scores, ptrdiff_t stride, float scale, const int32_t *visible, int32_t window,
                       float *log_sum_exp, ptrdiff_t log_sum_exp_stride, ptrdiff_t rows, ptrdiff_t columns) {
  VECTORISED
  for (ptrdiff_t i = 0; i < rows; i++) {
    float *row = scores + i * stride;
    ptrdiff_t n = visible[i], first = n > window ? n - window : 0;
    float largest = vectorised_maximum(row + first, n - first), sum = 0;
    for (ptrdiff_t j = 0; j < first; j++) row[j] = 0;
    for (ptrdiff_t j = first; j < n; j++) {
      float e = vectorised_exp(scale * (row[j] - largest));
      row[j] = e;
      sum += e;
    }
    float inverse = 1.0f / sum;
    for (ptrdiff_t j = first; j < n; j++) row[j] *= inverse;
    for (ptrdiff_t j = n; j < columns; j++) row[j] = 0;
    log_sum_exp[i * log_sum_exp_stride] = scale * largest + logf(sum);
  }
}

KERNEL void ks_softmax_recompute(float *scores, ptrdiff_t stride, float scale, const int32_t *visible, int32_t window,
                                 const float *log_sum_exp, ptrdiff_t log_sum_exp_stride, ptrdiff_t rows,
                                 ptrdiff_t columns) {
  VECTORISED
  for (ptrdiff_t i = 0; i < rows; i++) {
    float *row = scores + i * stride;
    ptrdiff_t n = visible[i], first = n > window ? n - window : 0;
    float lse = log_sum_exp[i * log_sum_exp_stride];
    for (ptrdiff_t j = 0; j < first; j++) row[j] = 0;
    for (ptrdiff_t j = first; j < n; j++) row[j] = vectorised_exp(scale * row[j] - lse);
    for (ptrdiff_t j = n; j < columns; j++) row[j] = 0;
  }
}

KERNEL void ks_softmax_backward(const float *probabilities, float *d_probabilities, ptrdiff_t stride, float scale,
                                const float *y, const float *dy, ptrdiff_t output_stride, ptrdiff_t head_dimension,
                                ptrdiff_t rows, ptrdiff_t columns) {
  VECTORISED
  for (ptrdiff_t i = 0; i < rows; i++) {
    const float *p = probabilities + i * stride, *yi = y + i * output_stride, *dyi = dy + i * output_stride;
    float *dp = d_probabilities + i * stride;
    float mean = 0;
    for (ptrdiff_t j = 0; j < head_dimension; j++) mean += yi[j] * dyi[j];
    for (ptrdiff_t j = 0; j < columns; j++) dp[j] = scale * p[j] * (dp[j] - mean);
  }
}

KERNEL void ks_softcap(const float *x, float *y, ptrdiff_t stride, float scale, float cap, ptrdiff_t rows,
                       ptrdiff_t columns) {
  VECTORISED
  float inverse = scale / cap;
  for (ptrdiff_t i = 0; i < rows; i++)
    for (ptrdiff_t j = 0; j < columns; j++)
      y[i * stride + j] = cap * vectorised_tanh(inverse * x[i * stride + j]);
}

KERNEL void ks_softcap_backward(const float *y, float *dy, ptrdiff_t stride, float scale, float cap, ptrdiff_t rows,
                                ptrdiff_t columns) {
  VECTORISED
  float inverse = 1.0f / cap;
  for (ptrdiff_t i = 0; i < rows; i++)
    for (ptrdiff_t j = 0; j < columns; j++) {
      float tanh = y[i * stride + j] * inverse;
      dy[i * stride + j] *= scale * (1.0f - tanh * tanh);
    }
}

static inline __attribute__((always_inline)) float element(const void *x, ptrdiff_t j, const int is_bfloat16) {
  if (!is_bfloat16) return ((const float *)x)[j];
  uint32_t bits = (uint32_t)((const uint16_t *)x)[j] << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// Rows of keys, then rows of values, are read whole and in order, as the cache holds them one after the other.
static inline __attribute__((always_inline)) void attend_one(const float *q, const void *keys, const void *values,
                                                             ptrdiff_t stride, float scale, float cap, float *scores,
                                                             float *y, ptrdiff_t heads, ptrdiff_t key_value_heads,
                                                             ptrdiff_t head_dimension, ptrdiff_t length,
                                                             const int is_bfloat16) {
  VECTORISED
  ptrdiff_t group = heads / key_value_heads;
  for (ptrdiff_t t = 0; t < length; t++) {
    for (ptrdiff_t h = 0; h < heads; h++) {
      const float *qh = q + h * head_dimension;
      ptrdiff_t key = t * stride + h / group * head_dimension;
      float dot = 0;
      for (ptrdiff_t j = 0; j < head_dimension; j++) dot += qh[j] * element(keys, key + j, is_bfloat16);
      scores[h * length + t] = scale * dot;
    }
  }
  if (cap != 0) ks_softcap(scores, scores, length, 1.0f, cap, heads, length);
  for (ptrdiff_t h = 0; h < heads; h++) {
    float *row = scores + h * length;
    float largest = vectorised_maximum(row, length), sum = 0;
    for (ptrdiff_t t = 0; t < length; t++) {
      row[t] = vectorised_exp(row[t] - largest);
      sum += row[t];
    }
    float inverse = 1.0f / sum;
    for (ptrdiff_t t = 0; t < length; t++) row[t] *= inverse;
  }
  memset(y, 0, (size_t)(heads * head_dimension) * sizeof *y);
  for (ptrdiff_t t = 0; t < length; t++) {
    for (ptrdiff_t h = 0; h < heads; h++) {
      float p = scores[h * length + t], *yh = y + h * head_dimension;
      ptrdiff_t value = t * stride + h / group * head_dimension;
      for (ptrdiff_t j = 0; j < head_dimension; j++) yh[j] += p * element(values, value + j, is_bfloat16);
    }
  }
}

KERNEL void ks_attend_one(const float *q, const float *keys, const float *values, ptrdiff_t stride, float scale,
                          float cap, float *scores, float *y, ptrdiff_t heads, ptrdiff_t key_value_heads,
                          ptrdiff_t head_dimension, ptrdiff_t length) {
  attend_one(q, keys, values, stride, scale, cap, scores, y, heads, key_value_heads, head_dimension, length, 0);
}

KERNEL void ks_attend_one_bfloat16(const float *q, const uint16_t *keys, const uint16_t *values, ptrdiff_t stride,
                                   float scale, float cap, float *scores, float *y, ptrdiff_t heads,
                                   ptrdiff_t key_value_heads, ptrdiff_t head_dimension, ptrdiff_t length) {
  attend_one(q, keys, values, stride, scale, cap, scores, y, heads, key_value_heads, head_dimension, length, 1);
}
