/// The few loops that Swift leaves scalar: exponentials, reductions and what surrounds them.
///
/// Each has a plain Swift twin in Tests/TestSupport. Letters: R rows, N columns, H heads, d head dimension, F
/// feed-forward width. All matrices are row-major floats; `d` before a name is its gradient.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// y[R,N] = x * inverse_rms * (offset + weight), with inverse_rms[R] = 1 / sqrt(mean(x^2) + epsilon), kept for the
/// backward.
void ks_rms_norm(const float *x, const float *weight, float offset, float epsilon, float *y, float *inverse_rms,
                 ptrdiff_t rows, ptrdiff_t columns);

/// Recomputes the result from the inverse_rms that was kept.
void ks_rms_norm_recompute(const float *x, const float *weight, float offset, const float *inverse_rms, float *y,
                           ptrdiff_t rows, ptrdiff_t columns);

/// dx[R,N] += the gradient through RMSNorm of dy[R,N]; d_weight[N] += its own where not null.
void ks_rms_norm_backward(const float *x, const float *weight, float offset, const float *inverse_rms, const float *dy,
                          float *dx, float *d_weight, ptrdiff_t rows, ptrdiff_t columns);

/// Turns each head of x[R, heads * d] (rows `stride` floats apart) by its row's angle, the two halves of a head being
/// the two coordinates. cosines and sines are [positions, d / 2]; sign +1 turns forward, -1 back.
void ks_rotate(float *x, ptrdiff_t stride, const int32_t *positions, const float *cosines, const float *sines,
               float sign, ptrdiff_t rows, ptrdiff_t heads, ptrdiff_t head_dimension);

/// y[R,F] = silu(gate) * up, where a row of gate_up[R,2F] is gate, then up.
void ks_swiglu(const float *gate_up, float *y, ptrdiff_t rows, ptrdiff_t width);

/// Turns gate_up[R,2F] into its gradient, given dy[R,F].
void ks_swiglu_backward(float *gate_up, const float *dy, ptrdiff_t rows, ptrdiff_t width);

/// The same with GELU, approximated by tanh, in place of silu.
void ks_geglu(const float *gate_up, float *y, ptrdiff_t rows, ptrdiff_t width);
void ks_geglu_backward(float *gate_up, const float *dy, ptrdiff_t rows, ptrdiff_t width);

/// y[R,N] = cap * tanh(scale * x / cap); rows are `stride` floats apart. y may be x.
void ks_softcap(const float *x, float *y, ptrdiff_t stride, float scale, float cap, ptrdiff_t rows, ptrdiff_t columns);

/// dy[R,N] becomes the gradient of x, given the result y.
void ks_softcap_backward(const float *y, float *dy, ptrdiff_t stride, float scale, float cap, ptrdiff_t rows,
                         ptrdiff_t columns);

/// Row i of scores[R,N] becomes its softmax(scale * scores) over the columns that it sees, and zero elsewhere: the last
/// `window` of the first `visible[i]`. log_sum_exp[R] (of the scaled scores) is kept for the backward.
void ks_softmax(float *scores, ptrdiff_t stride, float scale, const int32_t *visible, int32_t window,
                float *log_sum_exp, ptrdiff_t log_sum_exp_stride, ptrdiff_t rows, ptrdiff_t columns);

/// Row i of scores[R,N] becomes exp(scale * scores - log_sum_exp[i]) over the same columns, zero elsewhere.
void ks_softmax_recompute(float *scores, ptrdiff_t stride, float scale, const int32_t *visible, int32_t window,
                          const float *log_sum_exp, ptrdiff_t log_sum_exp_stride, ptrdiff_t rows, ptrdiff_t columns);

/// d_probabilities[R,N] becomes the gradient of the unscaled scores: scale * p * (dp - sum over d of y * dy), where y
/// and dy [R,d] (rows `output_stride` floats apart) are the attention's output and its gradient.
void ks_softmax_backward(const float *probabilities, float *d_probabilities, ptrdiff_t stride, float scale,
                         const float *y, const float *dy, ptrdiff_t output_stride, ptrdiff_t head_dimension,
                         ptrdiff_t rows, ptrdiff_t columns);

/// What is known of one row of logits[N] and its target.
typedef struct {
  float negative_log_likelihood;  ///< nats
  float log_sum_exp;
  float entropy;  ///< nats; 0 unless asked for
  float support;  ///< the probability of all columns that are no likelier than the target; 0 unless asked for
  int32_t top;    ///< the first column of the largest logit
} ks_token_loss;

/// What ks_cross_entropy may be asked for beside the loss.
enum { KS_ENTROPY = 1, KS_SUPPORT = 2 };

/// One result for each row of logits[R,N], with the statistics that are asked for.
void ks_cross_entropy(const float *logits, const int32_t *targets, ks_token_loss *losses, int statistics,
                      ptrdiff_t rows, ptrdiff_t columns);

/// logits[R,N] become weight[i] * (softmax - one-hot of the target): the gradient of weight[i] * -log p. Where the
/// logits are soft-capped, inverse_cap is 1 / cap and the gradient is that of the logits before the cap; else 0.
void ks_cross_entropy_backward(float *logits, const int32_t *targets, const ks_token_loss *losses, const float *weights,
                               float inverse_cap, ptrdiff_t rows, ptrdiff_t columns);

/// y[R,N] = x * mask / (1 - probability). An element is dropped by a hash of its row's key, the projection's salt and
/// its column, so that every pass, worker and rank sees the same mask. y may be x.
void ks_dropout(const float *x, float *y, const uint32_t *row_keys, uint32_t salt, float probability, ptrdiff_t rows,
                ptrdiff_t columns);

/// One AdamW step (Loshchilov and Hutter, 1711.05101, as torch.optim.AdamW computes it) over `count` parameters.
/// gradient_scale multiplies the gradient first; correction1 = 1 - beta1^t, correction2 = 1 - beta2^t.
void ks_adamw(float *parameters, const float *gradients, float *first_moments, float *second_moments,
              ptrdiff_t count, float gradient_scale, float learning_rate, float beta1, float beta2, float epsilon,
              float weight_decay, float correction1, float correction2);

/// y += x, over `count` floats.
void ks_add(const float *x, float *y, ptrdiff_t count);

/// y += scale * x, over `count` floats.
void ks_add_scaled(const float *x, float scale, float *y, ptrdiff_t count);

/// y = scale * x, over `count` floats. y may be x.
void ks_scale(const float *x, float scale, float *y, ptrdiff_t count);

/// y[R,N] (rows `stride` floats apart) += bias[N].
void ks_add_bias(float *y, ptrdiff_t stride, const float *bias, ptrdiff_t rows, ptrdiff_t columns);

/// d_bias[N] += the column sums of dy[R,N] (rows `stride` floats apart).
void ks_bias_backward(const float *dy, ptrdiff_t stride, float *d_bias, ptrdiff_t rows, ptrdiff_t columns);

/// The sum of squares, in double.
double ks_sum_of_squares(const float *x, ptrdiff_t count);

/// One row of queries against a cache, for decoding: of each head y[d] = softmax(scale * q keys^T) values, where q is
/// [heads, d], and keys and values are [length, key_value_heads, d] with rows `stride` elements apart; each key-value
/// head serves heads / key_value_heads query heads. scores is a workspace of heads * length floats. The scores are
/// soft-capped where cap is not 0.
void ks_attend_one(const float *q, const float *keys, const float *values, ptrdiff_t stride, float scale, float cap,
                   float *scores, float *y, ptrdiff_t heads, ptrdiff_t key_value_heads, ptrdiff_t head_dimension,
                   ptrdiff_t length);

/// The same with keys and values in bfloat16.
void ks_attend_one_bfloat16(const float *q, const uint16_t *keys, const uint16_t *values, ptrdiff_t stride, float scale,
                            float cap, float *scores, float *y, ptrdiff_t heads, ptrdiff_t key_value_heads,
                            ptrdiff_t head_dimension, ptrdiff_t length);

/// The first column of the largest of x[N]; 0 where there is none.
ptrdiff_t ks_argmax(const float *x, ptrdiff_t count);

/// The sum of those of p[N] that are at least `threshold`; `*matches` becomes their number.
float ks_sum_at_least(const float *p, float threshold, ptrdiff_t count, ptrdiff_t *matches);

/// y[R,O] = x[R,I] weight[O,I]^T, or y += it with `adding`, for few rows: each weight is read once for 32 of them, or
/// for 16 where registers are short. A row's result does not depend on the other rows. The rows of x and y lie
/// `x_stride` and `y_stride` floats apart; `workspace` is 32 * I floats at a cache line's start.
void ks_project_few(const float *x, ptrdiff_t x_stride, const float *weight, float *y, ptrdiff_t y_stride,
                    float *workspace, ptrdiff_t rows, ptrdiff_t inputs, ptrdiff_t outputs, int adding);

/// y[R,N] = scale * x, rounded to the nearest bfloat16, ties to even; rows of x are `stride` floats apart.
void ks_round_to_bfloat16(const float *x, ptrdiff_t stride, uint16_t *y, float scale, ptrdiff_t rows,
                          ptrdiff_t columns);

/// y[R,N] = x in single precision; rows of x are `stride` elements apart.
void ks_widen_bfloat16(const uint16_t *x, ptrdiff_t stride, float *y, ptrdiff_t rows, ptrdiff_t columns);
