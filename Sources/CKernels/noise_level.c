// How much noise a picture has, measured where it shows little else.
//
// Light and colours are looked at by themselves. Video has its colours at half the size, and their
// noise is as coarse; differences of neighbours show little of it. So deviations are measured twice,
// over 2 x 2 pixels and over 4 x 4, each as large as white noise of that deviation would make them.
#include <string.h>

#include "deviations.h"
#include "include/CKernels.h"
#include "light.h"

enum {
  SIDE = 16,  // of the blocks whose deviations are compared
  QUADS = SIDE / 2,
  COARSE = SIDE / 4,
};

// Detail is coarser than noise, and would be taken for it: this many times what is found among
// neighbours is believed, of the light and of the colours.
static const float most_light = 1.5f, most_colour = 3;

typedef struct {
  float fine[3], coarse[3];  // variances
  float mean;
} block;

/// Adds the squares of light and colours.
static void add_squares(float *sums, const float *rgb) {
  float parts[3];
  tdm_light_and_colours(parts, rgb);
  for (size_t k = 0; k < 3; k++) sums[k] += parts[k] * parts[k];
}

static block measure(const float *corner, size_t width) {
  block b = {0};
  float halved[QUADS][QUADS][3], sum = 0;
  for (size_t r = 0; r < QUADS; r++) {
    const float *above = corner + 3 * 2 * r * width, *below = above + 3 * width;
    for (size_t c = 0; c < QUADS; c++, above += 6, below += 6) {
      float difference[3];
      for (size_t k = 0; k < 3; k++) {
        float diagonal = above[k] + below[k + 3], other = above[k + 3] + below[k];
        difference[k] = (diagonal - other) * 0.5f;
        halved[r][c][k] = (diagonal + other) * 0.5f;
        sum += halved[r][c][k];
      }
      add_squares(b.fine, difference);
    }
  }
  for (size_t r = 0; r < COARSE; r++)
    for (size_t c = 0; c < COARSE; c++) {
      float difference[3];
      for (size_t k = 0; k < 3; k++)
        difference[k] = (halved[2 * r][2 * c][k] - halved[2 * r][2 * c + 1][k]
                         - halved[2 * r + 1][2 * c][k] + halved[2 * r + 1][2 * c + 1][k])
                        * 0.5f;
      add_squares(b.coarse, difference);
    }
  for (size_t k = 0; k < 3; k++) {
    b.fine[k] /= QUADS * QUADS;
    b.coarse[k] /= COARSE * COARSE;
  }
  b.mean = sum / (2 * QUADS * QUADS * 3);
  return b;
}

static void count(size_t *histogram, float variance) {
  histogram[tdm_bin_of(__builtin_sqrtf(variance))]++;
}

/// A quarter of all blocks are calmer: those that show little but noise.
static float lower_quartile(const size_t *histogram, size_t total) {
  return tdm_deviation_of(tdm_quantile(histogram, total, 0.25f));
}

/// The levels by the blocks whose mean lies `reach` deviations within black and white.
/// - Returns: whether there are any.
static int levels_within(
    float *levels, const float *picture, size_t width, size_t height, float reach) {
  size_t fine[3][TDM_BINS] = {0}, coarse[3][TDM_BINS] = {0}, total = 0;
  for (size_t y = 0; y + SIDE <= height; y += SIDE) {
    for (size_t x = 0; x + SIDE <= width; x += SIDE) {
      block b = measure(picture + 3 * (y * width + x), width);
      float deviation = __builtin_sqrtf((b.fine[0] + b.fine[1] + b.fine[2]) / 3);
      float margin = tdm_most(reach * deviation, 12);
      if (b.mean < margin || b.mean > 255 - margin) continue;
      for (size_t k = 0; k < 3; k++) {
        count(fine[k], b.fine[k]);
        count(coarse[k], b.coarse[k]);
      }
      total++;
    }
  }
  if (total == 0) return 0;
  float light = lower_quartile(fine[0], total);
  for (size_t k = 0; k < 3; k++) {
    float found = lower_quartile(fine[k], total);
    float believed = k == 0 ? most_light * light : most_colour * tdm_most(light, found);
    levels[k] = tdm_most(found, tdm_least(lower_quartile(coarse[k], total), believed));
  }
  return 1;
}

void tdm_noise_levels(float *levels, const float *picture, size_t width, size_t height) {
  memset(levels, 0, 3 * sizeof(float));
  // Close to black and white noise is cut off: such blocks count only where there are no others.
  if (!levels_within(levels, picture, width, height, 1.25f))
    levels_within(levels, picture, width, height, 0);
}
