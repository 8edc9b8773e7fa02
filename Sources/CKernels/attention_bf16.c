// The tile kernel for AVX512-BF16: products of bfloat16 pairs, sums in float32.
#include "attention_softmax.h"

#if TDM_X86

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
  for (size_t r = 0; r < ROWS; r++) tdm_soften_to_bf16(t, r);
  BY_THREES(t->width / 16, multiply_values);
}

const tdm_tile_kernel tdm_tile_avx512_bf16 = {ROWS, 2, 1, 1, 0, tile, 0};
#endif
