// The AMX tile kernel on emulated tile registers, for testing its logic on any processor.
#include "CAMXEmulation.h"
#include "attention_softmax.h"

static _Thread_local char registers[8][1024];

static void zero(int tile) { memset(registers[tile], 0, sizeof registers[tile]); }

static void load(int tile, const void *address, size_t stride) {
  for (size_t row = 0; row < 16; row++)
    memcpy(registers[tile] + row * 64, (const char *)address + row * stride, 64);
}

static void store(int tile, void *address, size_t stride) {
  for (size_t row = 0; row < 16; row++)
    memcpy((char *)address + row * stride, registers[tile] + row * 64, 64);
}

// Intel 64 and IA-32 Architectures Software Developer's Manual, TDPBF16PS.
static void dot(int sums, int a, int b) {
  float sum[16][16];
  uint16_t x[16][32], y[16][32];
  memcpy(sum, registers[sums], sizeof sum);
  memcpy(x, registers[a], sizeof x);
  memcpy(y, registers[b], sizeof y);
  for (int m = 0; m < 16; m++)
    for (int k = 0; k < 16; k++)
      for (int n = 0; n < 16; n++) {
        sum[m][n] += tdm_from_bf16(x[m][2 * k]) * tdm_from_bf16(y[k][2 * n]);
        sum[m][n] += tdm_from_bf16(x[m][2 * k + 1]) * tdm_from_bf16(y[k][2 * n + 1]);
      }
  memcpy(registers[sums], sum, sizeof sum);
}

static void soften_to_bf16(const tdm_tile *t, size_t row) {
  tdm_soften(t, row);
  float *scores = t->scores + row * TDM_KEY_BLOCK;
  uint16_t probabilities[TDM_KEY_BLOCK];
  for (size_t i = 0; i < t->groups * 16; i++) probabilities[i] = tdm_to_bf16(scores[i]);
  memcpy(scores, probabilities, t->groups * 16 * sizeof *probabilities);
}

#define TILE_FUNCTION
#define TILE_ZERO(register) zero(register)
#define TILE_LOAD(register, address, stride) load(register, address, stride)
#define TILE_STORE(register, address, stride) store(register, address, stride)
#define TILE_DOT(sums, a, b) dot(sums, a, b)
#define TILE_SOFTEN(tile, row) soften_to_bf16(tile, row)
#include "attention_amx_tile.h"

// Registers that were not set up, or not released, must not go unnoticed.
static _Thread_local int configured;
static void begin(void) {
  memset(registers, 0x7f, sizeof registers);
  configured++;
}
static void end(void) { configured--; }

static const tdm_tile_kernel kernel = {AMX_ROWS, 32, 2, 1, 0, begin, tile, end};

size_t tdm_emulated_amx_attention_scratch(
    size_t keys, size_t heads, size_t head_dimension, int threads) {
  return tdm_attention_scratch_for(&kernel, keys, heads, head_dimension, threads);
}

int tdm_emulated_amx_attention(
    void *out, const void *q, const void *const *k, const void *const *v, size_t sources,
    size_t queries, size_t keys, size_t heads, size_t head_dimension, size_t q_stride,
    size_t kv_stride, size_t out_stride, float scale, int causal, void *scratch, int threads) {
  tdm_attention_by(
      &kernel, TDM_BF16, out, q, k, v, sources, queries, keys, heads, head_dimension, q_stride,
      kv_stride, out_stride, scale, causal, scratch, threads);
  return configured == 0;
}
