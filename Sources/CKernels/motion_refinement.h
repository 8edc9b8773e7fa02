// Internal to motion.c.
#pragma once

#include <stddef.h>

/// Floats in the scratch of `tdm_refine_motion`.
size_t tdm_refinement_scratch_count(size_t width, size_t height);

/// Moves a flow to where pictures agree and it is smooth, but for edges.
/// - own, other: [3, height, width], luma of 0...255 and its gradients along x and y.
/// - flow: [2, height, width] in pixels.
void tdm_refine_motion(
    float *flow, const float *own, const float *other, size_t width, size_t height, float *scratch,
    int threads);
