// How much noise a picture has, measured as what its neighbours show differently along the motion
// where there is little to see.
//
// What an encoder has left of noise is coarse: hardly any is found among neighbouring pixels
// (noise_level.c), but it is new in every frame. So are the errors of motion, of up to some levels
// where all is flat, which is why less than that is taken for none. A neighbour may show something
// else altogether: the one that differs least is believed.
#include "include/CKernels.h"
#include "scalar.h"

enum {
  SIDE = 8,  // of the blocks that are looked at, at half the size
  BINS = 1024,  // steps of an eighth of a level
  MARGIN = 12,  // from black and white, where noise is cut off
};

// Of white noise of deviation 1 in the light the means of 2 x 2 pixels and of their channels, softened
// by 1 2 1 both ways, keep 1 / sqrt(3) / 2 * 6 / 16. Noise of video's colours is coarser, and more of it
// is left: with 1.25 times that, noise that is as strong in them as in the light comes out as what it
// is, and less where it is in the light alone.
static const float kept = 1.25f * 0.10825318f;
// What motion's errors may look like.
static const float motion_error = 3.6f;

typedef struct {
  float mean, variance;
} moments;

static moments moments_of(float block[SIDE][SIDE]) {
  float sum = 0, squares = 0;
  for (size_t r = 0; r < SIDE; r++)
    for (size_t c = 0; c < SIDE; c++) sum += block[r][c];
  moments m = {.mean = sum / (SIDE * SIDE)};
  for (size_t r = 0; r < SIDE; r++)
    for (size_t c = 0; c < SIDE; c++)
      squares += (block[r][c] - m.mean) * (block[r][c] - m.mean);
  m.variance = squares / (SIDE * SIDE);
  return m;
}

static size_t bin_of(float deviation) {
  float bin = 8 * deviation;
  return bin < BINS ? (size_t)bin : BINS - 1;
}

/// The bin that `share` of those counted lie below or in.
static size_t quantile(const size_t *histogram, size_t total, float share) {
  size_t seen = 0, bin = 0;
  while (bin < BINS - 1 && (float)(seen += histogram[bin]) < share * (float)total) bin++;
  return bin;
}

/// How much structure the block at `corner` of half the picture shows.
/// - Returns: whether it is neither black nor white.
static int structure_at(size_t *bin, const float *corner, size_t width) {
  float block[SIDE][SIDE];
  for (size_t r = 0; r < SIDE; r++)
    for (size_t c = 0; c < SIDE; c++) block[r][c] = corner[r * width + c];
  moments m = moments_of(block);
  *bin = bin_of(__builtin_sqrtf(m.variance));
  return m.mean >= MARGIN && m.mean <= 255 - MARGIN;
}

/// How much the block at `x`, `y` differs from what lies along the motion in another picture of half
/// the size, but for its brightness, which may fade.
static float difference_at(
    const float *own, const float *other, const float *flow, size_t x, size_t y, size_t width,
    size_t height) {
  float block[SIDE][SIDE];
  for (size_t r = 0; r < SIDE; r++)
    for (size_t c = 0; c < SIDE; c++) {
      size_t at = (y + r) * width + x + c;
      float px = (float)(x + c) + flow[at], py = (float)(y + r) + flow[width * height + at];
      // Far outside everything is the border.
      px = px > -1 ? (px < (float)width ? px : (float)width) : -1;
      py = py > -1 ? (py < (float)height ? py : (float)height) : -1;
      float left = __builtin_floorf(px), top = __builtin_floorf(py), fx = px - left, fy = py - top;
      const float *above = other + tdm_clamped((ptrdiff_t)top, height) * width;
      const float *below = other + tdm_clamped((ptrdiff_t)top + 1, height) * width;
      size_t a = tdm_clamped((ptrdiff_t)left, width), b = tdm_clamped((ptrdiff_t)left + 1, width);
      float seen = (above[a] * (1 - fx) + above[b] * fx) * (1 - fy)
                   + (below[a] * (1 - fx) + below[b] * fx) * fy;
      block[r][c] = seen - own[at];
    }
  return __builtin_sqrtf(moments_of(block).variance / 2) / kept;
}

float tdm_noise_along_motion(
    const float *own, const float *const *others, const float *const *flows, size_t count,
    size_t width, size_t height) {
  size_t w = width / 2, h = height / 2, total = 0, bin;
  if (count == 0 || w < SIDE || h < SIDE) return 0;
  size_t structure[BINS] = {0};
  for (size_t y = 0; y + SIDE <= h; y += SIDE)
    for (size_t x = 0; x + SIDE <= w; x += SIDE)
      if (structure_at(&bin, own + y * w + x, w)) {
        structure[bin]++;
        total++;
      }
  if (total == 0) return 0;
  size_t flat = quantile(structure, total, 0.25f), least = BINS;
  for (size_t i = 0; i < count; i++) {
    size_t differences[BINS] = {0}, seen = 0;
    for (size_t y = 0; y + SIDE <= h; y += SIDE)
      for (size_t x = 0; x + SIDE <= w; x += SIDE) {
        if (!structure_at(&bin, own + y * w + x, w) || bin > flat) continue;
        differences[bin_of(difference_at(own, others[i], flows[i], x, y, w, h))]++;
        seen++;
      }
    bin = quantile(differences, seen, 0.75f);
    least = bin < least ? bin : least;
  }
  float found = ((float)least + 0.5f) / 8;
  return found > motion_error ? __builtin_sqrtf(found * found - motion_error * motion_error) : 0;
}
