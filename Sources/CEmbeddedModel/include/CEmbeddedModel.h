// The packed model that is part of the program (its format: tdm-model(5)), and the tokenizer of those
// that come without one.
#pragma once
#include <stddef.h>

/// The first of the model's bytes.
const unsigned char *tdm_embedded_model_start(void);
/// In bytes; 0 in a program built without a model.
extern const size_t tdm_embedded_model_size;

/// The first byte of CLIP's merges.txt: pairs of symbols, a line each, by rank.
const unsigned char *tdm_clip_merges_start(void);
/// In bytes.
extern const size_t tdm_clip_merges_size;
