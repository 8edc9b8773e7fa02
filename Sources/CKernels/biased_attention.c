// Attention whose scores have something added to them: T5's, over a prompt's few hundred tokens,
// once a run. Plain loops are enough.
#include <math.h>

#include "scalar.h"

typedef struct {
  tdm_type type;
  void *out;
  const void *q, *k, *v;
  const float *bias;
  size_t tokens, heads, dimension;
  float *scratch;
} job;

/// What one head works in: keys turned on their side, values, a query, a row of scores and one of
/// results.
TDM_INLINE size_t head_scratch(size_t tokens, size_t dimension) {
  return (2 * tokens + 2) * dimension + tokens;
}

TDM_INLINE void head_body(const job *j, size_t head) {
  size_t tokens = j->tokens, dimension = j->dimension, channels = j->heads * dimension;
  float *keys = j->scratch + head * head_scratch(tokens, dimension);
  float *values = keys + tokens * dimension, *query = values + tokens * dimension;
  float *sum = query + dimension, *scores = sum + dimension;
  TDM_FOR_TYPE(j->type, T, {
    for (size_t s = 0; s < tokens; s++)
      for (size_t d = 0; d < dimension; d++) {
        size_t at = s * channels + head * dimension + d;
        keys[d * tokens + s] = tdm_load(T, j->k, at);
        values[s * dimension + d] = tdm_load(T, j->v, at);
      }
    for (size_t t = 0; t < tokens; t++) {
      size_t at = t * channels + head * dimension;
      for (size_t d = 0; d < dimension; d++) query[d] = tdm_load(T, j->q, at + d);
      memcpy(scores, j->bias + (head * tokens + t) * tokens, tokens * sizeof *scores);
      for (size_t d = 0; d < dimension; d++) {
        TDM_LANES
        for (size_t s = 0; s < tokens; s++) scores[s] += query[d] * keys[d * tokens + s];
      }
      float most = scores[0];
      for (size_t s = 1; s < tokens; s++) most = scores[s] > most ? scores[s] : most;
      TDM_LANES
      for (size_t s = 0; s < tokens; s++) scores[s] = tdm_exp(scores[s] - most);
      double total = 0;
      for (size_t s = 0; s < tokens; s++) total += (double)scores[s];
      memset(sum, 0, dimension * sizeof *sum);
      for (size_t s = 0; s < tokens; s++) {
        TDM_LANES
        for (size_t d = 0; d < dimension; d++) sum[d] += scores[s] * values[s * dimension + d];
      }
      for (size_t d = 0; d < dimension; d++)
        tdm_store(T, j->out, at + d, sum[d] / (float)total);
    }
  })
}
TDM_DISPATCH(head, (const job *j, size_t index), (j, index))

static void head_piece(void *context, size_t index) { head(context, index); }

size_t tdm_biased_attention_scratch(size_t tokens, size_t heads, size_t head_dimension) {
  return heads * head_scratch(tokens, head_dimension) * sizeof(float);
}

void tdm_biased_attention(
    tdm_type type, void *out, const void *q, const void *k, const void *v, const float *bias,
    size_t tokens, size_t heads, size_t head_dimension, void *scratch, int threads) {
  job j = {.type = type, .out = out, .q = q, .k = k, .v = v, .bias = bias, .tokens = tokens,
           .heads = heads, .dimension = head_dimension, .scratch = scratch};
  if (tokens > 0) tdm_parallel_for(threads, heads, head_piece, &j);
}
