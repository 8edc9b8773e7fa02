// The tile kernel for AMX-BF16, written against five operations on tile registers, so that it
// compiles twice: onto the processor's, and onto their emulation. Before it is included these are
// defined:
// - TILE_ZERO(register), TILE_LOAD(register, address, stride) and TILE_STORE, alike;
// - TILE_DOT(sums, a, b): sums += a b over bfloat16 pairs;
// - TILE_SOFTEN(tile, row): a row's scores become probabilities in bfloat16, in the same place;
// - TILE_FUNCTION: the attributes of the functions here.
// A register is 16 rows of 64 bytes. Registers 0...3 hold sums, 2 x 2 of 16 rows and 16 columns, 4
// and 5 the rows, 6 and 7 the columns.
#include "attention.h"

enum {
  AMX_ROWS = 32,
  SCORES_STRIDE = TDM_KEY_BLOCK * sizeof(float),
  REGISTER_BYTES = 1024,
};

// Scores of all 32 rows with groups `group` and `group` + 1 of keys.
TILE_FUNCTION static void multiply_keys(const tdm_tile *t, size_t group) {
  size_t stride = t->depth * 2;
  const char *q = t->q, *k = (const char *)t->k + group * 16 * stride;
  const char *next = k + 16 * stride;
  TILE_ZERO(0);
  TILE_ZERO(1);
  TILE_ZERO(2);
  TILE_ZERO(3);
  for (size_t c = 0; c < t->depth / 32; c++) {
    TILE_LOAD(4, q + c * 64, stride);
    TILE_LOAD(6, k + c * REGISTER_BYTES, 64);
    TILE_DOT(0, 4, 6);
    TILE_LOAD(7, next + c * REGISTER_BYTES, 64);
    TILE_DOT(1, 4, 7);
    TILE_LOAD(5, q + 16 * stride + c * 64, stride);
    TILE_DOT(2, 5, 6);
    TILE_DOT(3, 5, 7);
  }
  float *scores = t->scores + group * 16, *below = scores + 16 * TDM_KEY_BLOCK;
  TILE_STORE(0, scores, SCORES_STRIDE);
  TILE_STORE(1, scores + 16, SCORES_STRIDE);
  TILE_STORE(2, below, SCORES_STRIDE);
  TILE_STORE(3, below + 16, SCORES_STRIDE);
}

// Adds probabilities times values, for two groups of 16 channels.
TILE_FUNCTION static void multiply_two_groups(const tdm_tile *t, size_t group) {
  size_t words = t->groups * 8, stride = t->width * sizeof(float);
  const char *p = (const char *)t->scores, *v = (const char *)t->v + group * words * 64;
  const char *next = v + words * 64;
  float *out = t->out + group * 16, *below = out + 16 * t->width;
  if (t->first) {
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
  } else {
    TILE_LOAD(0, out, stride);
    TILE_LOAD(1, out + 16, stride);
    TILE_LOAD(2, below, stride);
    TILE_LOAD(3, below + 16, stride);
  }
  for (size_t i = 0; i < words / 16; i++) {
    TILE_LOAD(4, p + i * 64, SCORES_STRIDE);
    TILE_LOAD(6, v + i * REGISTER_BYTES, 64);
    TILE_DOT(0, 4, 6);
    TILE_LOAD(7, next + i * REGISTER_BYTES, 64);
    TILE_DOT(1, 4, 7);
    TILE_LOAD(5, p + 16 * SCORES_STRIDE + i * 64, SCORES_STRIDE);
    TILE_DOT(2, 5, 6);
    TILE_DOT(3, 5, 7);
  }
  TILE_STORE(0, out, stride);
  TILE_STORE(1, out + 16, stride);
  TILE_STORE(2, below, stride);
  TILE_STORE(3, below + 16, stride);
}

// The same for the last group of an odd number.
TILE_FUNCTION static void multiply_last_group(const tdm_tile *t, size_t group) {
  size_t words = t->groups * 8, stride = t->width * sizeof(float);
  const char *p = (const char *)t->scores, *v = (const char *)t->v + group * words * 64;
  float *out = t->out + group * 16, *below = out + 16 * t->width;
  if (t->first) {
    TILE_ZERO(0);
    TILE_ZERO(2);
  } else {
    TILE_LOAD(0, out, stride);
    TILE_LOAD(2, below, stride);
  }
  for (size_t i = 0; i < words / 16; i++) {
    TILE_LOAD(4, p + i * 64, SCORES_STRIDE);
    TILE_LOAD(6, v + i * REGISTER_BYTES, 64);
    TILE_DOT(0, 4, 6);
    TILE_LOAD(5, p + 16 * SCORES_STRIDE + i * 64, SCORES_STRIDE);
    TILE_DOT(2, 5, 6);
  }
  TILE_STORE(0, out, stride);
  TILE_STORE(2, below, stride);
}

TILE_FUNCTION static void tile(const tdm_tile *t) {
  for (size_t g = 0; g < t->groups; g += 2) multiply_keys(t, g);
  for (size_t r = 0; r < AMX_ROWS; r++) TILE_SOFTEN(t, r);
  size_t group = 0, groups = t->width / 16;
  for (; group + 2 <= groups; group += 2) multiply_two_groups(t, group);
  if (group < groups) multiply_last_group(t, group);
}
