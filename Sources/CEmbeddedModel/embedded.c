#include "CEmbeddedModel.h"

// Aligned so that tensors in it can be read where they lie. The last byte keeps the array from being empty.
_Alignas(64) const unsigned char tdm_embedded_model[] = {
#embed "embedded.tdmpack" suffix(,)
    0};
const size_t tdm_embedded_model_size = sizeof tdm_embedded_model - 1;
