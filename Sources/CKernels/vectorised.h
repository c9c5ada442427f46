#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef __has_feature
#define __has_feature(name) 0
#endif

// A kernel is compiled for three instruction sets; the program picks one as it starts, before ThreadSanitizer is ready.
#if defined(__x86_64__) && defined(__linux__) && !__has_feature(thread_sanitizer)
#define KERNEL __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define KERNEL
#endif

/// 16 floats, whatever the registers hold.
typedef float lanes __attribute__((vector_size(64)));

// Lets sums be taken in lanes, and multiplications and additions fuse.
#define VECTORISED _Pragma("clang fp reassociate(on) contract(fast)")

/// e^x within 2 ulp for x in [-87.3, 88.7]; 0 below and infinity above. Not-a-number stays what it is.
///
/// x = n log 2 + r with |r| <= log(2) / 2, and a polynomial of degree 6 in r (Cephes' expf).
static inline __attribute__((always_inline)) float vectorised_exp(float x) {
  // Not-a-number becomes the smallest, as no integer stands for it.
  float clamped = x > -87.3365f ? (x < 88.7228f ? x : 88.7228f) : -87.3365f;
  float n = __builtin_rintf(clamped * 1.44269504088896341f);
  float r = __builtin_fmaf(n, -0.693359375f, clamped);
  r = __builtin_fmaf(n, 2.12194440e-4f, r);
  float p = 1.9875691500e-4f;
  p = __builtin_fmaf(p, r, 1.3981999507e-3f);
  p = __builtin_fmaf(p, r, 8.3334519073e-3f);
  p = __builtin_fmaf(p, r, 4.1665795894e-2f);
  p = __builtin_fmaf(p, r, 1.6666665459e-1f);
  p = __builtin_fmaf(p, r, 5.0000001201e-1f);
  p = __builtin_fmaf(p, r * r, r) + 1.0f;
  // 2^n in two halves, so that n = 128 does not overflow the exponent before the product is taken.
  int32_t whole = (int32_t)n;
  int32_t half = whole >> 1;
  int32_t low_bits = (half + 127) << 23, high_bits = (whole - half + 127) << 23;
  float low, high;
  memcpy(&low, &low_bits, sizeof low);
  memcpy(&high, &high_bits, sizeof high);
  float y = p * low * high;
  y = x < -87.3365f ? 0.0f : y;
  y = x > 88.7228f ? INFINITY : y;
  return x != x ? x : y;
}

/// tanh x within 5 ulp: below 1/4 its series, above from e^2|x|.
static inline __attribute__((always_inline)) float vectorised_tanh(float x) {
  float absolute = x < 0 ? -x : x, square = x * x;
  float p = -1382.0f / 155925;
  p = __builtin_fmaf(p, square, 62.0f / 2835);
  p = __builtin_fmaf(p, square, -17.0f / 315);
  p = __builtin_fmaf(p, square, 2.0f / 15);
  p = __builtin_fmaf(p, square, -1.0f / 3);
  float near = __builtin_fmaf(p * square, x, x);
  float far = 1.0f - 2.0f / (1.0f + vectorised_exp(2.0f * absolute));
  return absolute < 0.25f ? near : (x < 0 ? -far : far);
}

/// The largest of `count` floats, taken in 16 lanes; -infinity of none. Not-a-numbers are ignored.
static inline __attribute__((always_inline)) float vectorised_maximum(const float *x, ptrdiff_t count) {
  float lanes[16], largest = -INFINITY;
  for (int k = 0; k < 16; k++) lanes[k] = -INFINITY;
  ptrdiff_t i = 0;
  for (; i + 16 <= count; i += 16)
    for (int k = 0; k < 16; k++) lanes[k] = x[i + k] > lanes[k] ? x[i + k] : lanes[k];
  for (; i < count; i++) largest = x[i] > largest ? x[i] : largest;
  for (int k = 0; k < 16; k++) largest = lanes[k] > largest ? lanes[k] : largest;
  return largest;
}

/// The square root as one instruction; `sqrtf` may set errno, which keeps a loop scalar.
static inline __attribute__((always_inline)) float vectorised_sqrt(float x) {
  return __builtin_elementwise_sqrt(x);
}
