// Local attention: the scores of sixteen queries with their neighbours, and their softmax.
#pragma once

#include "local_attention.h"

/// The scores of sixteen queries with the keys at `n` neighbouring displacements.
TDM_INLINE void score_run(
    size_t n, const job *j, float *scores, const float *q, const float *k, const float *beyond,
    const float *bias) {
  tdm_v16 sums[7], query, key;
  for (size_t i = 0; i < n; i++) {
    memcpy(&key, beyond + i, sizeof key);
    sums[i] = key + bias[i] * LOG2_E;
  }
  for (size_t c = 0; c < j->key_channels; c++) {
    memcpy(&query, q + c * BLOCK, sizeof query);
    for (size_t i = 0; i < n; i++) {
      memcpy(&key, k + c * j->key_columns + i, sizeof key);
      sums[i] += query * key;
    }
  }
  for (size_t i = 0; i < n; i++) memcpy(scores + i * BLOCK, sums + i, sizeof key);
}

/// The scores of sixteen queries with a row of keys, in runs that fit in registers.
TDM_INLINE void score_row(
    const job *j, float *scores, const float *q, const float *k, const float *beyond,
    const float *bias) {
  size_t i = 0;
  for (; i + 7 <= j->side; i += 7)
    score_run(7, j, scores + i * BLOCK, q, k + i, beyond + i, bias + i);
  for (; i + 3 <= j->side; i += 3)
    score_run(3, j, scores + i * BLOCK, q, k + i, beyond + i, bias + i);
  for (; i < j->side; i++) score_run(1, j, scores + i * BLOCK, q, k + i, beyond + i, bias + i);
}

/// tdm_exp2 of numbers that are not above zero.
TDM_INLINE void exp2_lanes(tdm_v16 *value) {
  tdm_v16 x = *value, low = -126.0f, magic = 12582912.0f;
  x = x < low ? low : x;
  tdm_v16 shifted = x + magic;
  tdm_v16 f = x - (shifted - magic);
  tdm_v16 p = 1.5403530393381609954e-4f;
  p = p * f + 1.3333558146428443423e-3f;
  p = p * f + 9.6181291076284771619e-3f;
  p = p * f + 5.5504108664821579953e-2f;
  p = p * f + 2.4022650695910071233e-1f;
  p = p * f + 6.9314718055994530942e-1f;
  p = p * f + 1.0f;
  tdm_u16x32 bits, exponent;
  memcpy(&bits, &p, sizeof bits);
  memcpy(&exponent, &shifted, sizeof exponent);
  bits += exponent << 23;
  memcpy(value, &bits, sizeof bits);
}

/// Turns `count` scores of each of sixteen queries into exponentials relative to the largest so far;
/// `shrink` is what earlier ones have to be multiplied by.
TDM_INLINE void soften(
    float *scores, size_t count, float *largest, float *sum, tdm_v16 *shrink) {
  tdm_v16 top, total, x;
  memcpy(&top, largest, sizeof top);
  memcpy(&total, sum, sizeof total);
  *shrink = top;
  for (size_t i = 0; i < count; i++) {
    memcpy(&x, scores + i * BLOCK, sizeof x);
    top = x > top ? x : top;
  }
  *shrink -= top;
  exp2_lanes(shrink);
  total *= *shrink;
  for (size_t i = 0; i < count; i++) {
    memcpy(&x, scores + i * BLOCK, sizeof x);
    x -= top;
    exp2_lanes(&x);
    total += x;
    memcpy(scores + i * BLOCK, &x, sizeof x);
  }
  memcpy(largest, &top, sizeof top);
  memcpy(sum, &total, sizeof total);
}
