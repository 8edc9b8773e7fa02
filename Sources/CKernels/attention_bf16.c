// The tile kernel for AVX512-BF16: products of bfloat16 pairs, sums in float32.
#include "attention.h"

#if TDM_X86
#include <immintrin.h>

enum { ROWS = 8 };

#define UNROLL _Pragma("clang loop unroll(full)")

TDM_AVX512_BF16 TDM_INLINE __m512bh broadcast(const void *pair) {
  int32_t bits;
  memcpy(&bits, pair, sizeof bits);
  return (__m512bh)_mm512_set1_epi32(bits);
}

TDM_AVX512_BF16 TDM_INLINE __m512bh vector(const uint32_t *words) {
  return (__m512bh)_mm512_loadu_si512(words);
}

// Scores of all rows with `groups` groups of keys, 8 x 3 sums in registers at most.
TDM_AVX512_BF16 TDM_INLINE void multiply_keys(const tdm_tile *t, size_t group, const int groups) {
  size_t words = t->depth / 2;
  const uint32_t *q = t->q, *k = (const uint32_t *)t->k + group * 16 * words;
  __m512 sum[ROWS][3];
  UNROLL for (int r = 0; r < ROWS; r++) UNROLL for (int g = 0; g < groups; g++) sum[r][g] =
      _mm512_setzero_ps();
  for (size_t c = 0; c < words; c++) {
    __m512bh key[3];
    UNROLL for (int g = 0; g < groups; g++) key[g] = vector(k + ((size_t)g * words + c) * 16);
    UNROLL for (int r = 0; r < ROWS; r++) {
      __m512bh x = broadcast(q + (size_t)r * words + c);
      UNROLL for (int g = 0; g < groups; g++) sum[r][g] =
          _mm512_dpbf16_ps(sum[r][g], x, key[g]);
    }
  }
  UNROLL for (int r = 0; r < ROWS; r++) UNROLL for (int g = 0; g < groups; g++)
      _mm512_storeu_ps(t->scores + r * TDM_KEY_BLOCK + (group + (size_t)g) * 16, sum[r][g]);
}

// Adds probabilities times values, for `groups` groups of 16 channels.
TDM_AVX512_BF16 TDM_INLINE void multiply_values(const tdm_tile *t, size_t group, const int groups) {
  size_t words = t->groups * 8;
  const uint32_t *p = (const uint32_t *)t->scores;
  const uint32_t *v = (const uint32_t *)t->v + group * words * 16;
  float *out = t->out + group * 16;
  __m512 sum[ROWS][3];
  UNROLL for (int r = 0; r < ROWS; r++) UNROLL for (int g = 0; g < groups; g++) sum[r][g] =
      t->first ? _mm512_setzero_ps() : _mm512_loadu_ps(out + (size_t)r * t->width + g * 16);
  for (size_t i = 0; i < words; i++) {
    __m512bh value[3];
    UNROLL for (int g = 0; g < groups; g++) value[g] = vector(v + ((size_t)g * words + i) * 16);
    UNROLL for (int r = 0; r < ROWS; r++) {
      __m512bh x = broadcast(p + r * TDM_KEY_BLOCK + i);
      UNROLL for (int g = 0; g < groups; g++) sum[r][g] =
          _mm512_dpbf16_ps(sum[r][g], x, value[g]);
    }
  }
  UNROLL for (int r = 0; r < ROWS; r++) UNROLL for (int g = 0; g < groups; g++)
      _mm512_storeu_ps(out + (size_t)r * t->width + g * 16, sum[r][g]);
}

// 2 to the power y within 8e-5 of itself, which rounding to bfloat16 (4e-3) hides.
TDM_AVX512_BF16 TDM_INLINE __m512 exp2_short(__m512 y) {
  __m512 f = _mm512_reduce_ps(y, 1);  // y less the integer below it
  __m512 p = _mm512_set1_ps(0.07802452f);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.22606717f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.69583353f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.99992522f));
  return _mm512_scalef_ps(p, y);
}

// Turns a row's scores into probabilities relative to its reference, in bfloat16, in the same place.
TDM_AVX512_BF16 TDM_INLINE void soften(const tdm_tile *t, size_t row) {
  float *scores = t->scores + row * TDM_KEY_BLOCK;
  size_t keys = t->groups * 16;
  for (size_t i = (size_t)t->visible[row]; i < keys; i++) scores[i] = -__builtin_inff();
  __m512 best = _mm512_loadu_ps(scores);
  for (size_t i = 16; i < keys; i += 16) best = _mm512_max_ps(best, _mm512_loadu_ps(scores + i));
  float top = _mm512_reduce_max_ps(best) * t->scale;

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
    __m512 a = exp2_short(_mm512_fmsub_ps(_mm512_loadu_ps(scores + i), scale, less));
    __m512 b = exp2_short(_mm512_fmsub_ps(_mm512_loadu_ps(scores + i + 16), scale, less));
    total0 = _mm512_add_ps(total0, a);
    total1 = _mm512_add_ps(total1, b);
    _mm512_storeu_si512(p + i, (__m512i)_mm512_cvtne2ps_pbh(b, a));
  }
  if (i < keys) {
    __m512 a = exp2_short(_mm512_fmsub_ps(_mm512_loadu_ps(scores + i), scale, less));
    total0 = _mm512_add_ps(total0, a);
    _mm256_storeu_si256((__m256i *)(p + i), (__m256i)_mm512_cvtneps_pbh(a));
  }
  t->largest[row] = reference;
  t->sum[row] = sum + _mm512_reduce_add_ps(_mm512_add_ps(total0, total1));
}

// Three groups at a time, but never one alone where two and two are to be had.
#define BY_THREES(count, call) \
  do { \
    size_t g = 0, n = (count); \
    for (; n - g >= 5 || n - g == 3; g += 3) call(t, g, 3); \
    for (; n - g >= 2; g += 2) call(t, g, 2); \
    if (g < n) call(t, g, 1); \
  } while (0)

TDM_AVX512_BF16 static void tile(const tdm_tile *t) {
  BY_THREES(t->groups, multiply_keys);
  for (size_t r = 0; r < ROWS; r++) soften(t, r);
  BY_THREES(t->width / 16, multiply_values);
}

const tdm_tile_kernel tdm_tile_avx512_bf16 = {ROWS, 2, 1, 1, 0, tile, 0};
#endif
