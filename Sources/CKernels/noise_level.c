// How much noise a picture has, measured where it shows little else.
#include <stddef.h>

#include "include/CKernels.h"

enum { BLOCK = 8, BINS = 1024 };

/// The lower quartile of the blocks' deviations, of those whose mean lies `reach` deviations within
/// black and white; below 0 where there are none.
static float level_within(const float *picture, size_t width, size_t height, float reach) {
  // Blocks by the deviation of their diagonal differences, in steps of an eighth of a level.
  size_t histogram[BINS] = {0}, total = 0;
  for (size_t y = 0; y + 2 * BLOCK <= height; y += 2 * BLOCK) {
    for (size_t x = 0; x + 2 * BLOCK <= width; x += 2 * BLOCK) {
      float sum = 0, square = 0;
      for (size_t r = 0; r < BLOCK; r++) {
        const float *above = picture + 3 * ((y + 2 * r) * width + x), *below = above + 3 * width;
        for (size_t c = 0; c < BLOCK; c++, above += 6, below += 6) {
          for (size_t k = 0; k < 3; k++) {
            float d = (above[k] - above[k + 3] - below[k] + below[k + 3]) * 0.5f;
            square += d * d;
            sum += above[k] + below[k + 3];
          }
        }
      }
      float mean = sum / (BLOCK * BLOCK * 6);
      float deviation = __builtin_sqrtf(square / (BLOCK * BLOCK * 3));
      float margin = reach * deviation > 12 ? reach * deviation : 12;
      if (mean < margin || mean > 255 - margin) continue;
      histogram[deviation < BINS / 8 ? (size_t)(deviation * 8) : BINS - 1]++;
      total++;
    }
  }
  if (total == 0) return -1;
  // A quarter of all blocks are calmer: those that show little but noise.
  size_t seen = 0, bin = 0;
  while (bin < BINS && (seen += histogram[bin]) * 4 < total) bin++;
  return ((float)bin + 0.5f) / 8;
}

float tdm_noise_level(const float *picture, size_t width, size_t height) {
  // Close to black and white noise is cut off: such blocks count only where there are no others.
  float level = level_within(picture, width, height, 1.25f);
  if (level < 0) level = level_within(picture, width, height, 0);
  return level < 0 ? 0 : level;
}
