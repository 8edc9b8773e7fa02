// The tile kernel in float32, for every processor. Vectors of 16 floats become one, two or four
// registers; how many rows and vectors of sums are held at a time follows from the registers there
// are.
#include "attention_softmax.h"

enum { ROWS = 8 };

// scores[row][group * 16 + lane] = q[row] . k[group, lane], for `rows` rows and `groups` groups.
TDM_INLINE void multiply_keys(
    const tdm_tile *t, size_t row, size_t group, const int rows, const int groups) {
  const float *q = (const float *)t->q + row * t->depth;
  const float *k = (const float *)t->k + group * 16 * t->depth;
  tdm_v16 sum[8][3];
  for (int r = 0; r < rows; r++)
    for (int g = 0; g < groups; g++) sum[r][g] = 0;
  for (size_t c = 0; c < t->depth; c++) {
    tdm_v16 key[3];
    for (int g = 0; g < groups; g++)
      memcpy(&key[g], k + ((size_t)g * t->depth + c) * 16, sizeof key[g]);
    for (int r = 0; r < rows; r++) {
      float x = q[(size_t)r * t->depth + c];
      for (int g = 0; g < groups; g++) sum[r][g] += x * key[g];
    }
  }
  for (int r = 0; r < rows; r++)
    for (int g = 0; g < groups; g++)
      memcpy(t->scores + (row + (size_t)r) * TDM_KEY_BLOCK + (group + (size_t)g) * 16, &sum[r][g],
             sizeof sum[r][g]);
}

// out[row][channels of `groups` groups] += probabilities . v
TDM_INLINE void multiply_values(
    const tdm_tile *t, size_t row, size_t group, const int rows, const int groups) {
  size_t keys = t->groups * 16;
  const float *v = (const float *)t->v + group * keys * 16;
  float *out = t->out + row * t->width + group * 16;
  const float *p = t->scores + row * TDM_KEY_BLOCK;
  tdm_v16 sum[8][3];
  for (int r = 0; r < rows; r++)
    for (int g = 0; g < groups; g++) {
      sum[r][g] = 0;
      if (!t->first) memcpy(&sum[r][g], out + (size_t)r * t->width + g * 16, sizeof sum[r][g]);
    }
  for (size_t i = 0; i < keys; i++) {
    tdm_v16 value[3];
    for (int g = 0; g < groups; g++)
      memcpy(&value[g], v + ((size_t)g * keys + i) * 16, sizeof value[g]);
    for (int r = 0; r < rows; r++) {
      float x = p[(size_t)r * TDM_KEY_BLOCK + i];
      for (int g = 0; g < groups; g++) sum[r][g] += x * value[g];
    }
  }
  for (int r = 0; r < rows; r++)
    for (int g = 0; g < groups; g++)
      memcpy(out + (size_t)r * t->width + g * 16, &sum[r][g], sizeof sum[r][g]);
}

// `rows` and `groups` say how many sums are held in registers.
TDM_INLINE void tile_body(const tdm_tile *t, const int rows, const int groups) {
  for (size_t r = 0; r < ROWS; r += (size_t)rows) {
    size_t g = 0;
    for (; g + (size_t)groups <= t->groups; g += (size_t)groups)
      multiply_keys(t, r, g, rows, groups);
    for (; g < t->groups; g++) multiply_keys(t, r, g, rows, 1);
  }
  for (size_t r = 0; r < ROWS; r++) tdm_soften(t, r);
  for (size_t r = 0; r < ROWS; r += (size_t)rows) {
    size_t g = 0;
    for (; g + (size_t)groups <= t->width / 16; g += (size_t)groups)
      multiply_values(t, r, g, rows, groups);
    for (; g < t->width / 16; g++) multiply_values(t, r, g, rows, 1);
  }
}

static void tile_plain(const tdm_tile *t) { tile_body(t, 2, 1); }
const tdm_tile_kernel tdm_tile_plain = {ROWS, 1, 1, 0, 0, 0, tile_plain, 0};

#if TDM_X86
TDM_AVX2 static void tile_avx2(const tdm_tile *t) { tile_body(t, 4, 1); }
const tdm_tile_kernel tdm_tile_avx2 = {ROWS, 1, 1, 0, 0, 0, tile_avx2, 0};

TDM_AVX512 static void tile_avx512(const tdm_tile *t) { tile_body(t, 8, 3); }
const tdm_tile_kernel tdm_tile_avx512 = {ROWS, 1, 1, 0, 0, 0, tile_avx512, 0};
#endif
