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

// Adds probabilities times values, for `groups` groups of 16 channels, of which the last may be
// halved.
TDM_AVX512_BF16 TDM_INLINE void multiply_values(
    const tdm_tile *t, size_t group, const int groups, const int halved) {
  const int whole = halved ? groups - 1 : groups;
  size_t words = t->groups * 8;
  const uint32_t *p = (const uint32_t *)t->scores;
  const uint32_t *v = (const uint32_t *)t->v + group * words * 16;
  const uint32_t *last = v + (size_t)whole * words * 16;
  float *out = t->out + group * 16;
  __m512 sum[ROWS][3];
  UNROLL for (int r = 0; r < ROWS; r++) UNROLL for (int g = 0; g < groups; g++) sum[r][g] =
      t->first ? _mm512_setzero_ps() : _mm512_loadu_ps(out + (size_t)r * t->width + g * 16);
  for (size_t i = 0; i < words; i += 2) {
    __m512bh value[2][3], both;
    UNROLL for (int e = 0; e < 2; e++) UNROLL for (int g = 0; g < whole; g++) value[e][g] =
        vector(v + ((size_t)g * words + i + (size_t)e) * 16);
    if (halved) both = vector(last + i / 2 * 16);
    UNROLL for (int r = 0; r < ROWS; r++) {
      __m512bh x = broadcast(p + r * TDM_KEY_BLOCK + i);
      __m512bh y = broadcast(p + r * TDM_KEY_BLOCK + i + 1);
      UNROLL for (int g = 0; g < whole; g++) sum[r][g] =
          _mm512_dpbf16_ps(sum[r][g], x, value[0][g]);
      UNROLL for (int g = 0; g < whole; g++) sum[r][g] =
          _mm512_dpbf16_ps(sum[r][g], y, value[1][g]);
      if (halved) {
        __m512i z = _mm512_mask_blend_epi32(0xff00, (__m512i)x, (__m512i)y);
        sum[r][whole] = _mm512_dpbf16_ps(sum[r][whole], (__m512bh)z, both);
      }
    }
  }
  UNROLL for (int r = 0; r < ROWS; r++) UNROLL for (int g = 0; g < groups; g++)
      _mm512_storeu_ps(out + (size_t)r * t->width + g * 16, sum[r][g]);
}

TDM_AVX512_BF16 TDM_INLINE void multiply_all_values(const tdm_tile *t, const int halved) {
  // The last call takes the last groups, three, two or one of them.
  size_t g = 0, n = t->width / 16;
  for (; n - g > 4; g += 3) multiply_values(t, g, 3, 0);
  if (n - g == 4) multiply_values(t, g, 2, 0), g += 2;
  if (n - g == 3)
    multiply_values(t, g, 3, halved);
  else if (n - g == 2)
    multiply_values(t, g, 2, halved);
  else
    multiply_values(t, g, 1, halved);
}

TDM_AVX512_BF16 static void tile(const tdm_tile *t) {
  size_t g = 0;
  for (; g + 3 <= t->groups; g += 3) multiply_keys(t, g, 3);
  if (t->groups - g == 2) multiply_keys(t, g, 2);
  if (t->groups - g == 1) multiply_keys(t, g, 1);
  for (size_t r = 0; r < ROWS; r++) tdm_soften_to_bf16(t, r);
  if (t->halved)
    multiply_all_values(t, 1);
  else
    multiply_all_values(t, 0);
}

const tdm_tile_kernel tdm_tile_avx512_bf16 = {ROWS, 2, 1, 1, 1, 0, tile, 0};
#endif
