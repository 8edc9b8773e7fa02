// What the parts of attention share.
//
// Keys and values are packed per head in blocks of at most TDM_KEY_BLOCK keys, small enough to stay
// in the second-level cache while a block of queries goes over them. A packed element is a float
// or, for the processors that multiply bfloat16, half of a pair. Within a block:
// - keys: [groups of 16 keys][depth / pair][16][pair], pairs along a head's channels;
// - values: [width / 16][keys / pair][16][pair], pairs along the keys. Where the last group has at
//   most 8 channels, a kernel may have it halved: [keys / (2 pair)][2][8][pair], even pairs of keys
//   and odd ones side by side in one vector, and so are their sums in out.
// A tile is the work between some rows of queries and one block. Softmax is the online one (Milakov
// and Gimelshein 2018), as in Dao et al., FlashAttention, 2022: running largest score, running sum.
#pragma once

#include "vector.h"

enum {
  TDM_KEY_BLOCK = 192,
  TDM_QUERY_BLOCK = 128,
  TDM_MOST_ROWS = 32,  // the most rows that a kernel's tile has
};

typedef struct {
  const void *q;           // [rows, depth], packed elements; rows beyond the last query are zero
  const void *k, *v;       // the block
  size_t groups;           // of 16 keys, in the block
  size_t depth, width;     // a head's channels, padded for the keys and for the values
  const int32_t *visible;  // [rows]: how many of the block's keys a row sees
  int halved;              // the last group of values
  float scale;             // of the scores, for powers of two: |scale| * log2 e, above zero
  int first;               // the rows' first block: out, largest and sum are not yet set
  float *scores;           // [rows, TDM_KEY_BLOCK]
  float *largest;          // [rows]: the reference that scores' exponents are relative to
  float *sum;              // [rows]
  float *out;              // [rows, width], not yet divided by sum
} tdm_tile;

/// How one instruction set does a tile.
typedef struct {
  size_t rows;         // a tile's rows
  size_t depth_unit;   // a head's channels are padded to a multiple of this for the keys
  size_t group_unit;   // a block's groups of keys are padded to a multiple of this
  int paired;          // packed elements are bfloat16 pairs
  int halves;          // wants a short last group of values halved
  void (*begin)(void); // sets the thread up, or null
  void (*tile)(const tdm_tile *tile);
  void (*end)(void);
} tdm_tile_kernel;

extern const tdm_tile_kernel tdm_tile_plain, tdm_tile_avx2, tdm_tile_avx512, tdm_tile_avx512_bf16,
    tdm_tile_amx_bf16;

/// A score this much (in powers of two) above a row's reference moves the reference. Below that,
/// exponentials stay well within range, and nothing that has been summed needs rescaling.
#define TDM_SLACK 8.0f

/// tdm_attention_scratch and tdm_attention by a given kernel.
size_t tdm_attention_scratch_for(
    const tdm_tile_kernel *kernel, size_t keys, size_t heads, size_t head_dimension, int threads);
void tdm_attention_by(
    const tdm_tile_kernel *kernel, tdm_type type, void *out, const void *q, const void *const *k,
    const void *const *v, size_t sources, size_t queries, size_t keys, size_t heads,
    size_t head_dimension, size_t q_stride, size_t kv_stride, size_t out_stride, float scale,
    int causal, void *scratch, int threads);

/// Where, how much and which of the call's inputs to pack.
typedef struct {
  tdm_type type;
  const void *const *k, *const *v;
  size_t sources, keys, head_dimension, kv_stride;
  size_t depth, width, group_unit;
  int paired, halved;
  float sign;  // keys are packed times -1, 0 or 1, the sign of the scale
} tdm_packing;

/// Packs block `block` of `head`: means over the sources, rounded once.
void tdm_pack_keys(const tdm_packing *p, void *packed, size_t head, size_t block);
void tdm_pack_values(const tdm_packing *p, void *packed, size_t head, size_t block);
/// Packs `rows` rows of one head's queries from q (stride in elements), and zeros up to
/// `padded_rows`.
void tdm_pack_queries(
    const tdm_packing *p, void *packed, const void *q, size_t stride, size_t rows,
    size_t padded_rows);

TDM_INLINE size_t tdm_round_up(size_t x, size_t unit) { return (x + unit - 1) / unit * unit; }

TDM_INLINE size_t tdm_least(size_t a, size_t b) { return a < b ? a : b; }

/// Groups of 16 keys in a block, padded.
TDM_INLINE size_t tdm_block_groups(size_t keys, size_t block, size_t group_unit) {
  size_t left = keys - block * TDM_KEY_BLOCK;
  return tdm_round_up(tdm_least(left, TDM_KEY_BLOCK), 16 * group_unit) / 16;
}
