// Attention by the AMX kernel of CKernels without a processor that has AMX.
#pragma once

#include <stddef.h>

/// tdm_attention_scratch for tdm_emulated_amx_attention.
size_t tdm_emulated_amx_attention_scratch(
    size_t keys, size_t heads, size_t head_dimension, int threads);

/// tdm_attention in bfloat16 by the AMX kernel on emulated tile registers, slowly, on any
/// processor. Returns whether the calling thread released every set of registers that it set up.
int tdm_emulated_amx_attention(
    void *out, const void *q, const void *const *k, const void *const *v, size_t sources,
    size_t queries, size_t keys, size_t heads, size_t head_dimension, size_t q_stride,
    size_t kv_stride, size_t out_stride, float scale, int causal, void *scratch, int threads);
