// Brings queries, keys and values into the order in which the tile kernels read them.
#include "attention.h"

enum { STRIP = 64 };  // channels that are averaged at a time

// The mean over the sources' row `row`, channels from..<from + count, of a head's part.
TDM_INLINE void mean_body(
    tdm_type type, float *mean, const void *const *x, size_t sources, size_t at, size_t count) {
  TDM_LANES
  for (size_t i = 0; i < count; i++) mean[i] = tdm_load(type, x[0], at + i);
  if (sources == 1) return;
  for (size_t s = 1; s < sources; s++) {
    TDM_LANES
    for (size_t i = 0; i < count; i++) mean[i] += tdm_load(type, x[s], at + i);
  }
  TDM_LANES
  for (size_t i = 0; i < count; i++) mean[i] = mean[i] / (float)sources;
}

// Four bytes of packed data: a float, or a pair of which `second` may lie in the next key.
TDM_INLINE uint32_t word(int paired, float first, float second) {
  if (!paired) return tdm_bits(first);
  return (uint32_t)tdm_to_bf16(first) | (uint32_t)tdm_to_bf16(second) << 16;
}

TDM_INLINE void keys_body(const tdm_packing *p, uint32_t *packed, size_t head, size_t block) {
  size_t pair = p->paired ? 2 : 1, words = p->depth / pair, d = p->head_dimension;
  size_t first = block * TDM_KEY_BLOCK;
  size_t count = tdm_least(p->keys - first, TDM_KEY_BLOCK);
  size_t padded = tdm_block_groups(p->keys, block, p->group_unit) * 16;
  float sign = p->sign, strip[STRIP];
  memset(packed, 0, padded * words * sizeof *packed);
  for (size_t key = 0; key < count; key++) {
    uint32_t *out = packed + key / 16 * words * 16 + key % 16;
    for (size_t from = 0; from < d; from += STRIP) {
      size_t n = tdm_least(d - from, STRIP);
      size_t at = (first + key) * p->kv_stride + head * d + from;
      TDM_FOR_TYPE(p->type, T, mean_body(T, strip, p->k, p->sources, at, n))
      memset(strip + n, 0, (STRIP - n) * sizeof *strip);
      if (p->paired)
        for (size_t i = 0; i < n; i += 2)
          out[(from + i) / 2 * 16] = word(1, sign * strip[i], sign * strip[i + 1]);
      else
        for (size_t i = 0; i < n; i++) out[(from + i) * 16] = word(0, sign * strip[i], 0);
    }
  }
}
TDM_DISPATCH(
    keys, (const tdm_packing *p, uint32_t *packed, size_t head, size_t block),
    (p, packed, head, block))

TDM_INLINE void values_body(const tdm_packing *p, uint32_t *packed, size_t head, size_t block) {
  size_t pair = p->paired ? 2 : 1, d = p->head_dimension;
  size_t first = block * TDM_KEY_BLOCK;
  size_t count = tdm_least(p->keys - first, TDM_KEY_BLOCK);
  size_t words = tdm_block_groups(p->keys, block, p->group_unit) * 16 / pair;
  float strip[2][STRIP];
  memset(packed, 0, words * p->width * sizeof *packed);
  for (size_t row = 0; row * pair < count; row++) {
    for (size_t from = 0; from < d; from += STRIP) {
      size_t n = tdm_least(d - from, STRIP);
      memset(strip, 0, sizeof strip);
      for (size_t e = 0; e < pair && row * pair + e < count; e++) {
        size_t at = (first + row * pair + e) * p->kv_stride + head * d + from;
        TDM_FOR_TYPE(p->type, T, mean_body(T, strip[e], p->v, p->sources, at, n))
      }
      for (size_t c = 0; c < n; c += 16) {
        size_t group = (from + c) / 16;
        int half = p->halved && group == p->width / 16 - 1;
        uint32_t *out = packed + (group * words + (half ? row / 2 : row)) * 16;
        if (half) out += row % 2 * 8;
        for (size_t i = 0; i < (half ? 8 : 16); i++)
          out[i] = word(p->paired, strip[0][c + i], strip[1][c + i]);
      }
    }
  }
}
TDM_DISPATCH(
    values, (const tdm_packing *p, uint32_t *packed, size_t head, size_t block),
    (p, packed, head, block))

TDM_INLINE void queries_body(
    const tdm_packing *p, void *packed, const void *q, size_t stride, size_t rows) {
  for (size_t row = 0; row < rows; row++) {
    if (p->paired)
      memcpy((uint16_t *)packed + row * p->depth, (const uint16_t *)q + row * stride,
             p->head_dimension * sizeof(uint16_t));
    else
      TDM_FOR_TYPE(
          p->type, T,
          mean_body(T, (float *)packed + row * p->depth, &q, 1, row * stride, p->head_dimension))
  }
}
TDM_DISPATCH(
    queries, (const tdm_packing *p, void *packed, const void *q, size_t stride, size_t rows),
    (p, packed, q, stride, rows))

void tdm_pack_keys(const tdm_packing *p, void *packed, size_t head, size_t block) {
  keys(p, packed, head, block);
}

void tdm_pack_values(const tdm_packing *p, void *packed, size_t head, size_t block) {
  values(p, packed, head, block);
}

void tdm_pack_queries(
    const tdm_packing *p, void *packed, const void *q, size_t stride, size_t rows,
    size_t padded_rows) {
  memset(packed, 0, padded_rows * p->depth * (p->paired ? 2 : 4));
  queries(p, packed, q, stride, rows);
}
