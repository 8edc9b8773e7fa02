// The softmax of a tile's rows, online: each block's scores become exponentials relative to the
// row's reference, which moves only when a score outgrows it by TDM_SLACK powers of two.
#pragma once

#include <math.h>

#include "attention.h"

#if TDM_X86
#include <immintrin.h>
#endif

// Turns a row's scores into probabilities relative to its reference.
TDM_INLINE void tdm_soften(const tdm_tile *t, size_t row) {
  float *scores = t->scores + row * TDM_KEY_BLOCK;
  size_t keys = t->groups * 16;
  for (size_t i = (size_t)t->visible[row]; i < keys; i++) scores[i] = -INFINITY;
  tdm_v16 best = -INFINITY, x;
  for (size_t i = 0; i < keys; i += 16) {
    memcpy(&x, scores + i, sizeof x);
    best = x > best ? x : best;
  }
  float top = best[0];
  for (int i = 1; i < 16; i++) top = best[i] > top ? best[i] : top;

  float reference = t->largest[row], sum = t->sum[row];
  if (t->first) {
    reference = top, sum = 0;
  } else if ((top - reference) * t->scale > TDM_SLACK) {
    float shrink = tdm_exp2((reference - top) * t->scale);
    float *out = t->out + row * t->width;
    for (size_t i = 0; i < t->width; i++) out[i] *= shrink;
    reference = top, sum *= shrink;
  }
  // The difference first: it is exact where it matters, for the scores near the reference.
  float scale = t->scale;
  TDM_LANES
  for (size_t i = 0; i < keys; i++) {
    float y = (scores[i] - reference) * scale;
    // Far below the reference is nothing at all, so that keys that are not seen weigh nothing.
    scores[i] = y < -126.0f ? 0.0f : tdm_exp2(y);
  }
  tdm_v16 total = 0;
  for (size_t i = 0; i < keys; i += 16) {
    memcpy(&x, scores + i, sizeof x);
    total += x;
  }
  t->largest[row] = reference;
  t->sum[row] = (float)((double)sum + tdm_sum16(&total));
}

#if TDM_X86
// 2 to the power y within 8e-5 of itself, which rounding to bfloat16 (4e-3) hides.
TDM_AVX512_BF16 TDM_INLINE __m512 tdm_exp2_short(__m512 y) {
  __m512 f = _mm512_reduce_ps(y, 1);  // y less the integer below it
  __m512 p = _mm512_set1_ps(0.07802452f);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.22606717f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.69583353f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.99992522f));
  return _mm512_scalef_ps(p, y);
}

// Turns a row's scores into probabilities relative to its reference, in bfloat16, in the same
// place.
TDM_AVX512_BF16 TDM_INLINE void tdm_soften_to_bf16(const tdm_tile *t, size_t row) {
  float *scores = t->scores + row * TDM_KEY_BLOCK;
  size_t keys = t->groups * 16;
  for (size_t i = (size_t)t->visible[row]; i < keys; i++) scores[i] = -__builtin_inff();
  __m512 best = _mm512_loadu_ps(scores);
  for (size_t i = 16; i < keys; i += 16) best = _mm512_max_ps(best, _mm512_loadu_ps(scores + i));
  float top = _mm512_reduce_max_ps(best) * t->scale;

  // Times the scale, so that one fused operation gives the exponent.
  float reference = t->largest[row], sum = t->sum[row];
  if (t->first) {
    reference = top, sum = 0;
  } else if (top > reference + TDM_SLACK) {
    float shrink = tdm_exp2(reference - top);
    float *out = t->out + row * t->width;
    for (size_t i = 0; i < t->width; i += 16)
      _mm512_storeu_ps(out + i, _mm512_mul_ps(_mm512_loadu_ps(out + i), _mm512_set1_ps(shrink)));
    reference = top, sum *= shrink;
  }
  __m512 scale = _mm512_set1_ps(t->scale), less = _mm512_set1_ps(reference);
  __m512 total0 = _mm512_setzero_ps(), total1 = _mm512_setzero_ps();
  uint16_t *p = (uint16_t *)scores;
  size_t i = 0;
  for (; i + 32 <= keys; i += 32) {
    __m512 a = tdm_exp2_short(_mm512_fmsub_ps(_mm512_loadu_ps(scores + i), scale, less));
    __m512 b = tdm_exp2_short(_mm512_fmsub_ps(_mm512_loadu_ps(scores + i + 16), scale, less));
    total0 = _mm512_add_ps(total0, a);
    total1 = _mm512_add_ps(total1, b);
    _mm512_storeu_si512(p + i, (__m512i)_mm512_cvtne2ps_pbh(b, a));
  }
  if (i < keys) {
    __m512 a = tdm_exp2_short(_mm512_fmsub_ps(_mm512_loadu_ps(scores + i), scale, less));
    total0 = _mm512_add_ps(total0, a);
    _mm256_storeu_si256((__m256i *)(p + i), (__m256i)_mm512_cvtneps_pbh(a));
  }
  t->largest[row] = reference;
  t->sum[row] = sum + _mm512_reduce_add_ps(_mm512_add_ps(total0, total1));
}
#endif
