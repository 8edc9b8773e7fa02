// The packed model that is part of the program (its format: tdm-model(5)).
#pragma once
#include <stddef.h>

/// The first of its bytes.
const unsigned char *tdm_embedded_model_start(void);
/// In bytes; 0 in a program built without a model.
extern const size_t tdm_embedded_model_size;
