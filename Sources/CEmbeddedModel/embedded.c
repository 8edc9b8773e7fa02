#include "CEmbeddedModel.h"

#if defined(__clang__)
#pragma clang diagnostic ignored "-Wc23-extensions"
#endif

// Aligned as the memory that it is unpacked into. The last byte keeps the array from being empty.
_Alignas(64) static const unsigned char model[] = {
#embed "embedded.tdmpack" suffix(,)
    0};
const size_t tdm_embedded_model_size = sizeof model - 1;

const unsigned char *tdm_embedded_model_start(void) { return model; }

static const unsigned char clip_merges[] = {
#embed "clip-merges.txt"
};
const size_t tdm_clip_merges_size = sizeof clip_merges;

const unsigned char *tdm_clip_merges_start(void) { return clip_merges; }
