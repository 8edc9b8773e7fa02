// What oneDNN 2.6 and OpenBLAS lack, for the processor: attention without a tokens x tokens matrix,
// Winograd's convolution, normalization with its activation, and the element-wise work between them; and
// what is done to frames beside the networks: motion, fusion, history, and the transfer of what a small
// picture gained to a large one.
//
// Activations are row-major, channels last: an image is [pixels, channels], a sequence [tokens,
// channels]. They are float32 or bfloat16; statistics, sums and parameters (weight, bias) are
// always float32. A function that takes `threads` splits its work over as many of libgomp's team (the
// team that oneDNN uses too, so that the two never fight) and gives the same bits for any number of
// them. Nothing here allocates; scratch memory is the caller's, 64-byte aligned.
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef enum { TDM_F32 = 0, TDM_BF16 = 1 } tdm_type;

typedef enum {
  TDM_NONE = 0,
  TDM_RELU = 1,
  TDM_SILU = 2,
  TDM_GELU = 3,        // exact, with erf
  TDM_QUICK_GELU = 4,  // x * sigmoid(1.702 x)
  TDM_GELU_TANH = 5,   // with tanh in erf's place, as BERT's code has it
} tdm_activation;

// ---- Processor

/// The instruction sets that kernels may use, from the least to the most capable.
typedef enum {
  TDM_ISA_PLAIN = 0,
  TDM_ISA_AVX2 = 1,
  TDM_ISA_AVX512 = 2,
  TDM_ISA_AVX512_BF16 = 3,
  TDM_ISA_AMX_BF16 = 4,
} tdm_isa;

/// The best set that this processor and kernel offer (asks the kernel for AMX tile data once).
tdm_isa tdm_isa_detect(void);
/// The set in use: the detected one unless limited.
tdm_isa tdm_isa_current(void);
/// Limits the set that the calling thread uses, and those that it hands work to (for tests and
/// comparisons); returns the set in use afterwards.
tdm_isa tdm_isa_limit(tdm_isa most);
/// Whether this processor multiplies bfloat16 faster than float32.
int tdm_bf16_is_faster(void);

// ---- Threads

/// The processors that this process may run on.
int tdm_processor_count(void);

/// The most threads that a team can have: OMP_THREAD_LIMIT, where it is set.
int tdm_thread_limit(void);

/// How many threads the parallel regions of the calling thread use from now on, oneDNN's among
/// them.
void tdm_set_team_size(int threads);

/// Runs body(context, index) for each index in 0..<count, spread over `threads` threads of
/// libgomp's team.
void tdm_parallel_for(int threads, size_t count, void (*body)(void *context, size_t index), void *context);

// ---- Convolution

/// Writes the weights of a 3x3 convolution, [outputs, inputs, 3, 3], as tdm_winograd reads them:
/// 36 * inputs * outputs numbers. `outputs` is a multiple of 16.
void tdm_winograd_weight(
    float *out, const float *weight, size_t inputs, size_t outputs, int threads);

/// Bytes of scratch that tdm_winograd needs.
size_t tdm_winograd_scratch(size_t inputs, size_t outputs, int threads);

/// out = activation(convolution + bias + residual), by 3x3 kernels with a stride of 1 and a border
/// of one zero on every side.
/// - x: [height, width, inputs], neither side empty, 16 inputs or more.
/// - out, residual: [height, width, outputs], a multiple of 16 outputs; `residual` may be `out` or
///   null. `out` lies apart from x.
/// - weight: as tdm_winograd_weight has written it.
void tdm_winograd(
    float *out, const float *x, size_t height, size_t width, size_t inputs, size_t outputs,
    const float *weight, const float *bias, const float *residual, tdm_activation activation,
    void *scratch, int threads);

// ---- Attention

/// Bytes of scratch that tdm_attention needs.
size_t tdm_attention_scratch(tdm_type type, size_t keys, size_t heads, size_t head_dimension, int threads);

/// out = softmax(scale * q kᵀ) v for each head; head h of a token is the channels [h *
/// head_dimension, (h + 1) * head_dimension).
///
/// Keys and values are the arithmetic means over `sources` frames' (sliding-window cross-frame
/// attention): k[i] and v[i] are frame i's. With one source this is plain attention. Scores never
/// leave the registers and caches: scratch holds packed keys and values and, for each thread, a
/// block of scores.
/// - q: [queries, q_stride], out: [queries, out_stride], k[i], v[i]: [keys, kv_stride]; strides in
///   elements.
/// - causal: query i sees keys 0...i only.
void tdm_attention(
    tdm_type type, void *out, const void *q, const void *const *k, const void *const *v, size_t sources, size_t queries, size_t keys,
    size_t heads, size_t head_dimension, size_t q_stride, size_t kv_stride, size_t out_stride, float scale, int causal,
    void *scratch, int threads);

/// Bytes of scratch that tdm_biased_attention needs.
size_t tdm_biased_attention_scratch(size_t tokens, size_t heads, size_t head_dimension);

/// out = softmax(q kᵀ + bias) v for each head, of a few hundred tokens: the scores of a head lie in
/// scratch.
/// - q, k, v, out: [tokens, heads * head_dimension], bias: [heads, tokens, tokens].
void tdm_biased_attention(
    tdm_type type, void *out, const void *q, const void *k, const void *v, const float *bias, size_t tokens, size_t heads,
    size_t head_dimension, void *scratch, int threads);

// ---- Normalization

/// Bytes of scratch that tdm_group_norm needs.
size_t tdm_group_norm_scratch(size_t pixels, size_t channels);

/// out = activation((x - mean) / sqrt(variance + epsilon) * weight + bias), statistics over each
/// group's channels and all pixels. out may be x.
void tdm_group_norm(
    tdm_type type, void *out, const void *x, size_t pixels, size_t channels, size_t groups, float epsilon, const float *weight,
    const float *bias, tdm_activation activation, void *scratch, int threads);

/// out = (x - mean) / sqrt(variance + epsilon) * weight + bias, statistics over each row's
/// channels. out may be x.
void tdm_layer_norm(
    tdm_type type, void *out, const void *x, size_t rows, size_t channels, float epsilon, const float *weight, const float *bias,
    int threads);

/// out = x / sqrt(mean of squares + epsilon) * weight, over each row's channels. out may be x.
void tdm_rms_norm(
    tdm_type type, void *out, const void *x, size_t rows, size_t channels, float epsilon, const float *weight, int threads);

// ---- Element-wise

/// out[i] = activation(x[i]). out may be x.
void tdm_activate(tdm_type type, void *out, const void *x, size_t count, tdm_activation activation, int threads);

/// out[i] = a[i] + scale * b[i]. out may be a or b.
void tdm_add(
    tdm_type type, void *out, const void *a, const void *b, float scale, size_t count, int threads);

/// out[i] = a[i] * b[i]. out may be a or b.
void tdm_multiply(tdm_type type, void *out, const void *a, const void *b, size_t count, int threads);

/// out[i] = a * x[i] + b * y[i], float32. out may be x or y.
void tdm_combine(float *out, float a, const float *x, float b, const float *y, size_t count, int threads);

/// x: [rows, 2 * channels] -> out: [rows, channels], first half * gelu(second half), exact GELU.
void tdm_geglu(tdm_type type, void *out, const void *x, size_t rows, size_t channels, int threads);

/// out: [rows, a_channels + b_channels] = the rows of a and b side by side; where b_addend is not
/// null, b + scale * b_addend.
void tdm_concat(
    tdm_type type, void *out, const void *a, size_t a_channels, const void *b, size_t b_channels, const void *b_addend, float scale,
    size_t rows, int threads);

/// out = addend + x * (offset + scale) + shift, the last two the same in every row: [channels].
/// Without addend or shift (null) there is nothing to add. out may be x or addend.
void tdm_scale_rows(
    tdm_type type, void *out, const void *x, const void *addend, float offset, const float *scale, const float *shift, size_t rows,
    size_t channels, int threads);

/// Rows side by side: row i of out is row i of each of the `count` sources, `row_bytes` long, in
/// their order.
void tdm_interleave(void *out, const void *const *sources, size_t count, size_t row_bytes, size_t rows, int threads);

/// The extents of a video: frames of pixels.
typedef struct {
  size_t frames, height, width;
} tdm_extents;

/// Nearest-neighbour enlargement of x: [x_extents, channels] to out: [out_extents, channels]; pixel
/// (i, j) is x's (i * height / out_height, j * width / out_width). So it is in time, but for an odd
/// number of frames above 1, of which the first is x's first and the others are enlarged from x's
/// others.
void tdm_upsample_nearest(
    tdm_type type, void *out, tdm_extents out_extents, const void *x, tdm_extents x_extents, size_t channels, int threads);

/// out = activation(x * factor + addend) for x and out: [extents, channels], factor and addend:
/// [coarse, channels] enlarged as tdm_upsample_nearest does. out may be x.
void tdm_modulate_nearest(
    tdm_type type, void *out, const void *x, tdm_extents extents, const void *factor, const void *addend, tdm_extents coarse,
    size_t channels, tdm_activation activation, int threads);

/// The means of frames in pairs: x: [frames, count] to out: [(frames + 1) / 2, count]; of an odd
/// number the first stays as it is.
void tdm_pair_means(tdm_type type, void *out, const void *x, size_t frames, size_t count, int threads);

/// Patches side by side: x: [frames, height, width, channels, size, size] to out: [frames, height *
/// size, width * size, channels].
void tdm_unpatchify(tdm_type type, void *out, const void *x, tdm_extents extents, size_t channels, size_t size, int threads);

/// out[i] = limit * tanh(x[i] / limit).
void tdm_soft_clamp(tdm_type type, void *out, const void *x, float limit, size_t count, int threads);

/// out[i] = scale * x[i] + offset, between any two types. With scale 1 and offset 0 it is a
/// conversion (round to nearest even).
void tdm_affine(tdm_type out_type, void *out, tdm_type x_type, const void *x, float scale, float offset, size_t count, int threads);

/// IEEE half precision to float32.
void tdm_f16_to_f32(float *out, const uint16_t *x, size_t count, int threads);

// ---- Haar transform

/// One level of the Haar transform: out [rows, columns, 4, channels], x: [2 * rows, 2 * columns,
/// channels], float32. Of a block's pixels a b / c d the bands are a + b + c + d, a - b + c - d, a
/// + b - c - d and a - b - c + d, each times its factor.
void tdm_haar_analysis(
    float *out, const float *x, size_t rows, size_t columns, size_t channels, const float factors[4], int threads);

/// The way back, from x: [rows, columns, 4, channels] to out: [2 * rows, 2 * columns, channels]: of the bands, each times its factor,
/// l, h, v, d the pixels are l + h + v + d, l - h + v - d / l + h - v - d, l - h - v + d.
void tdm_haar_synthesis(
    float *out, const float *x, size_t rows, size_t columns, size_t channels, const float factors[4], int threads);

// ---- Motion and fusion

/// Floats in what `tdm_motion_pyramid` makes of a picture, and in the scratch of `tdm_motion`.
size_t tdm_motion_pyramid_count(size_t width, size_t height);
size_t tdm_motion_scratch_count(size_t width, size_t height);

/// What motion is looked for in: luma and its gradients at half the size, a quarter and so
/// on of picture [height, width, 3]. scratch: (width / 2) * (height / 2) floats.
void tdm_motion_pyramid(float *out, const float *picture, size_t width, size_t height, float *scratch, int threads);

/// Where what is seen in one picture lies in another, from their pyramids: flow [2, height / 2,
/// width / 2], offsets to the right and downwards in pixels of half the size. No motion in pictures
/// with a side of less than 16.
void tdm_motion(float *flow, const float *own, const float *other, size_t width, size_t height, float *scratch, int threads);

/// Floats in the scratch of `tdm_fusion`.
size_t tdm_fusion_scratch_count(size_t width, int threads);

/// What noise is taken to be: standard deviations of white noise of the light and of two colours, as
/// `tdm_noise_levels` gives them, of which as much is left by a blur of deviation 1 (coarse), and of
/// which it takes as much (fine). Noise that is not white has more of the one than of the other.
typedef struct {
  float coarse[3], fine[3];
} tdm_noise;

/// What `own` finds in a picture, as `tdm_noise_levels`, and `along` its motion, as
/// `tdm_noise_along_motion`, show together; no less than `least`.
tdm_noise tdm_noise_of(const float *own, const float *along, float least);

/// A picture [height, width, 3] averaged with `count` others, each taken along its flow, where they
/// differ by no more than its noise makes them, in what is coarse and in what is finer; colours by a weight of their own, which does not look at the light.
/// weights: takes how many pictures the light of each pixel has become the average of, [height, width]; or null.
void tdm_fusion(
    float *out, const float *own, const float *const *others, const float *const *flows, size_t count, size_t width, size_t height,
    const tdm_noise *noise, float *weights, float *scratch, int threads);

/// Floats in the scratch of `tdm_rank_fusion`.
size_t tdm_rank_fusion_scratch_count(size_t width, int threads);

/// Of each pixel of a picture [height, width, 3] and `count` others, each taken along its flow, the second darkest, as far as the
/// darkest is like it; else the picture's own, which it is where there are fewer than two others.
void tdm_rank_fusion(
    float *out, const float *own, const float *const *others, const float *const *flows, size_t count, size_t width, size_t height,
    float *scratch, int threads);

/// Floats in the scratch of `tdm_history_blend`.
size_t tdm_history_scratch_count(size_t width, int threads);

/// A fused picture [height, width, 3] averaged with the mean of earlier pictures, not fused, at the same place, worth as many as counts says of each pixel
/// ([height, width]; 0 where there are none), as far as nothing has changed there. noise and weights: as tdm_fusion was given the one and has
/// given the other; they become the mean's share. counts becomes what the mean is still worth.
void tdm_history_blend(
    float *fused, float *weights, const float *mean, float *counts, size_t width, size_t height, const tdm_noise *noise,
    float *scratch, int threads);

/// Takes a picture of so many pixels into the mean, beside what counts says that it is worth; that grows by one, and never above `most`.
void tdm_history_take(float *mean, float *counts, const float *picture, size_t pixels, float most, int threads);

/// The standard deviations of the noise in a picture [height, width, 3] of 0...255, of white noise
/// that makes neighbourhoods differ as much: of the light, luma (BT.601) times sqrt 3, and of the colours
/// (r - b) / sqrt 2 and (r - 2 g + b) / sqrt 6. Those of the calmest quarter of its blocks of
/// 16 x 16, in steps of an eighth, at least 1/16; 0 where it has no such block, or all of them are
/// black or white.
void tdm_noise_levels(float *levels, const float *picture, size_t width, size_t height);

/// The same by what `count` others show differently along the motion, from all their pyramids and the
/// flows to them: each level that of the other that differs least, the deviation that three quarters
/// of the flattest quarter of the picture's blocks do not exceed; less, in squares, what motion's
/// errors may be. 0 where there are no others, a side is less than 16, or all blocks are black or white.
void tdm_noise_along_motion(
    float *levels, const float *own, const float *pyramid, const float *const *others, const float *const *pyramids,
    const float *const *flows, size_t count, size_t width, size_t height);

// ---- Guided transfer

/// A picture [height, width, 3] reduced to [reduced_height, reduced_width, 3], no larger: means over
/// the area that a pixel covers. scratch: as much as `tdm_guided_transfer` takes.
void tdm_area_reduction(
    float *out, size_t reduced_width, size_t reduced_height, const float *in, size_t width, size_t height, float *scratch, int threads);

/// Floats in the scratch of `tdm_guided_transfer`.
size_t tdm_guided_transfer_scratch_count(size_t width, size_t reduced_width, size_t reduced_height, int threads);

/// Changes a picture [height, width, 3] of 0...255 as a reduced one was changed, from guide to
/// target, [reduced_height, reduced_width, 3]: by the gain, and what is added to each colour, that
/// lead from the one to the other best in windows of 17 x 17, averaged over the windows and
/// interpolated (He, Sun, arXiv 1505.00996, with one gain for all colours, and 1 in the place of 0
/// where there is no contrast to learn it from). With goes_on the scratch holds what the frame
/// before left there, at the same sizes and with as many threads, and gain and additions are averaged
/// with those of the frames before where the guides' windows look alike.
void tdm_guided_transfer(
    float *picture, size_t width, size_t height, const float *guide, const float *target, size_t reduced_width, size_t reduced_height,
    int goes_on, float *scratch, int threads);
