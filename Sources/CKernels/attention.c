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

// MARK: Decoding

// Keys that are scored together, and dimensions of a head that are taken at once.
enum { KEYS = 16, DIMENSIONS = 64 };

static inline __attribute__((always_inline)) ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

/// The address of element j of floats, or of bfloat16.
static inline __attribute__((always_inline)) const void *place(const void *x, ptrdiff_t j, const int is_bfloat16) {
  return is_bfloat16 ? (const void *)((const uint16_t *)x + j) : (const void *)((const float *)x + j);
}

static inline __attribute__((always_inline)) float element(const void *x, ptrdiff_t j, const int is_bfloat16) {
  if (!is_bfloat16) return ((const float *)x)[j];
  uint32_t bits = (uint32_t)((const uint16_t *)x)[j] << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/// The 16 elements from element j on.
static inline __attribute__((always_inline)) void load(lanes *y, const void *x, ptrdiff_t j, const int is_bfloat16) {
  if (!is_bfloat16) {
    memcpy(y, (const float *)x + j, sizeof *y);
    return;
  }
  uint16_t __attribute__((vector_size(32))) upper;
  memcpy(&upper, (const uint16_t *)x + j, sizeof upper);
  uint32_t __attribute__((vector_size(64))) bits = __builtin_convertvector(upper, __typeof__(bits)) << 16;
  memcpy(y, &bits, sizeof *y);
}

/// Asks for `count` elements from element j on. The processor does not foresee rows of which a head reads a part.
static inline __attribute__((always_inline)) void prefetch(const void *x, ptrdiff_t j, ptrdiff_t count,
                                                           const int is_bfloat16) {
  for (ptrdiff_t k = 0; k < count; k += is_bfloat16 ? 32 : 16) __builtin_prefetch(place(x, j + k, is_bfloat16));
}

// Of two vectors: a half of the lanes of each, side by side, plus the other half.
#define HALVES(a, b)                                                                                    \
  (__builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +              \
   __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
#define QUARTERS(a, b)                                                                                  \
  (__builtin_shufflevector(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27) +            \
   __builtin_shufflevector(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31))
#define EIGHTHS(a, b)                                                                                   \
  (__builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +            \
   __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31))
#define SIXTEENTHS(a, b)                                                                                \
  (__builtin_shufflevector(a, b, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30) +           \
   __builtin_shufflevector(a, b, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31))

/// Lane t of a[0] becomes the sum of a[t]'s lanes: sixteen sums across lanes in fifteen additions of vectors.
static inline __attribute__((always_inline)) void sum_each(lanes a[16]) {
  for (int i = 0; i < 8; i++) a[i] = HALVES(a[i], a[i + 8]);
  for (int i = 0; i < 4; i++) a[i] = QUARTERS(a[i], a[i + 4]);
  for (int i = 0; i < 2; i++) a[i] = EIGHTHS(a[i], a[i + 2]);
  a[0] = SIXTEENTHS(a[0], a[1]);
}

/// scores[heads, count] of up to KEYS keys, rows `length` apart, from up to DIMENSIONS of each head's dimensions.
static inline __attribute__((always_inline)) void score(const float *q, ptrdiff_t head_dimension, const void *keys,
                                                        ptrdiff_t stride, ptrdiff_t dimensions, ptrdiff_t count,
                                                        float *scores, ptrdiff_t length, ptrdiff_t heads, int adding,
                                                        const int is_bfloat16) {
  VECTORISED
  float copy[KEYS][DIMENSIONS];
  const float *rows = keys;
  for (ptrdiff_t t = 0; t < count; t++) prefetch(keys, (t + 2 * KEYS) * stride, dimensions, is_bfloat16);
  if (is_bfloat16 || count < KEYS || dimensions % 16 != 0) {
    if (count < KEYS || dimensions % 16 != 0) memset(copy, 0, sizeof copy);
    for (ptrdiff_t t = 0; t < count; t++) {
      ptrdiff_t j = 0;
      for (; j + 16 <= dimensions; j += 16) {
        lanes values;
        load(&values, keys, t * stride + j, is_bfloat16);
        memcpy(copy[t] + j, &values, sizeof values);
      }
      for (; j < dimensions; j++) copy[t][j] = element(keys, t * stride + j, is_bfloat16);
    }
    rows = copy[0];
    stride = DIMENSIONS;
  }
  for (ptrdiff_t h = 0; h < heads; h++) {
    lanes sums[KEYS];
    for (int t = 0; t < KEYS; t++) sums[t] = (lanes){0};
    for (ptrdiff_t j = 0; j < dimensions; j += 16) {
      lanes query = {0};
      if (j + 16 <= dimensions)
        load(&query, q, h * head_dimension + j, 0);
      else
        for (ptrdiff_t l = 0; j + l < dimensions; l++) query[l] = q[h * head_dimension + j + l];
      for (int t = 0; t < KEYS; t++) {
        lanes key;
        memcpy(&key, rows + t * stride + j, sizeof key);
        sums[t] += query * key;
      }
    }
    sum_each(sums);
    float *target = scores + h * length;
    if (count == KEYS && !adding)
      memcpy(target, sums, sizeof *sums);
    else
      for (ptrdiff_t t = 0; t < count; t++) target[t] = adding ? target[t] + sums[0][t] : sums[0][t];
  }
}

/// y[heads, 16 * width] = p[heads, length] values, sums in registers; rows of p are `length` apart, those of y
/// `head_dimension`.
static inline __attribute__((always_inline)) void mix(const float *p, const void *values, ptrdiff_t stride, float *y,
                                                      ptrdiff_t head_dimension, ptrdiff_t length, const int heads,
                                                      const int width, const int is_bfloat16) {
  VECTORISED
  lanes sums[4][4];
  for (int h = 0; h < heads; h++)
    for (int b = 0; b < width; b++) sums[h][b] = (lanes){0};
  for (ptrdiff_t t = 0; t < length; t++) {
    prefetch(values, (t + 24) * stride, 16 * width, is_bfloat16);
    for (int b = 0; b < width; b++) {
      lanes value;
      load(&value, values, t * stride + 16 * b, is_bfloat16);
      for (int h = 0; h < heads; h++) sums[h][b] += p[h * length + t] * value;
    }
  }
  for (int h = 0; h < heads; h++) memcpy(y + h * head_dimension, sums[h], (size_t)width * sizeof(lanes));
}

/// The same over all dimensions of a head.
static inline __attribute__((always_inline)) void mix_all(const float *p, const void *values, ptrdiff_t stride,
                                                          float *y, ptrdiff_t head_dimension, ptrdiff_t length,
                                                          const int heads, const int is_bfloat16) {
  ptrdiff_t j = 0;
  for (; j + 64 <= head_dimension; j += 64)
    mix(p, place(values, j, is_bfloat16), stride, y + j, head_dimension, length, heads, 4, is_bfloat16);
  for (; j + 16 <= head_dimension; j += 16)
    mix(p, place(values, j, is_bfloat16), stride, y + j, head_dimension, length, heads, 1, is_bfloat16);
  for (; j < head_dimension; j++)
    for (int h = 0; h < heads; h++) {
      float sum = 0;
      for (ptrdiff_t t = 0; t < length; t++) sum += p[h * length + t] * element(values, t * stride + j, is_bfloat16);
      y[h * head_dimension + j] = sum;
    }
}

// The query heads of a key-value head are taken together, so that its keys and values are read, and widened, once for
// all of them, or for four of them.
static inline __attribute__((always_inline)) void attend_one(const float *q, const void *keys, const void *values,
                                                             ptrdiff_t stride, float scale, float cap, float *scores,
                                                             float *y, ptrdiff_t heads, ptrdiff_t key_value_heads,
                                                             ptrdiff_t head_dimension, ptrdiff_t length,
                                                             const int is_bfloat16) {
  VECTORISED
  ptrdiff_t group = heads / key_value_heads;
  for (ptrdiff_t t = 0; t < length; t += KEYS)
    for (ptrdiff_t g = 0; g < key_value_heads; g++)
      for (ptrdiff_t j = 0; j < head_dimension; j += DIMENSIONS)
        score(q + g * group * head_dimension + j, head_dimension,
              place(keys, t * stride + g * head_dimension + j, is_bfloat16), stride,
              smaller(DIMENSIONS, head_dimension - j), smaller(KEYS, length - t), scores + g * group * length + t,
              length, group, j > 0, is_bfloat16);
  if (cap != 0) {
    ks_softcap(scores, scores, length, scale, cap, heads, length);
    scale = 1;
  }
  for (ptrdiff_t h = 0; h < heads; h++) {
    float *row = scores + h * length;
    float largest = vectorised_maximum(row, length), sum = 0;
    for (ptrdiff_t t = 0; t < length; t++) {
      row[t] = vectorised_exp(scale * (row[t] - largest));
      sum += row[t];
    }
    float inverse = 1.0f / sum;
    for (ptrdiff_t t = 0; t < length; t++) row[t] *= inverse;
  }
  for (ptrdiff_t h = 0; h < heads;) {
    const float *p = scores + h * length;
    const void *rows = place(values, h / group * head_dimension, is_bfloat16);
    float *target = y + h * head_dimension;
    switch (smaller(4, group - h % group)) {
    case 4: mix_all(p, rows, stride, target, head_dimension, length, 4, is_bfloat16); h += 4; break;
    case 3: mix_all(p, rows, stride, target, head_dimension, length, 3, is_bfloat16); h += 3; break;
    case 2: mix_all(p, rows, stride, target, head_dimension, length, 2, is_bfloat16); h += 2; break;
    default: mix_all(p, rows, stride, target, head_dimension, length, 1, is_bfloat16); h += 1;
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
