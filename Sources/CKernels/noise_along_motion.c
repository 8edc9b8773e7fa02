// How much noise a picture has, measured as what its neighbours show differently along the motion
// where there is little to see.
//
// What an encoder has left of noise is coarse, and so is the noise of a camera's colours: hardly any
// is found among neighbouring pixels (noise_level.c), but it is new in every frame. So are the errors
// of motion, of up to some levels where all is flat, which is why less than that is taken for none. A
// neighbour may show something else altogether: the one that differs least is believed.
#include "deviations.h"
#include "include/CKernels.h"
#include "light.h"
#include "scalar.h"

enum {
  SIDE = 8,  // of the blocks that are looked at, at half the size
  CELL = 4,  // of the squares of pixels whose colours' means are compared
  CELLS = 2 * SIDE / CELL,
  MARGIN = 12,  // from black and white, where noise is cut off
};

// Of white noise of deviation 1 in the light, which is luma times sqrt 3, the means of 2 x 2 pixels,
// softened by 1 2 1 both ways, keep 1 / sqrt(3) / 2 * 6 / 16.
static const float light_kept = 0.10825318f;
// And the means of the cells of what colours have.
static const float colours_kept = 1.0f / CELL;
// What motion's errors may look like.
static const float light_error = 4, colours_error = 2;

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

/// The blocks of a picture that show little.
typedef struct {
  const float *half;     // the luma at half the size
  size_t width, height;  // at half the size
  size_t across, count;
  size_t flat;  // the bin of the structure that they show at most
} blocks;

typedef struct {
  size_t x, y;  // of its corner, at half the size
} place;

static place place_of(const blocks *b, size_t index) {
  return (place){index % b->across * SIDE, index / b->across * SIDE};
}

/// How much structure a block shows.
/// - Returns: whether it is neither black nor white.
static int structure_at(size_t *bin, const blocks *b, size_t index) {
  place p = place_of(b, index);
  const float *corner = b->half + p.y * b->width + p.x;
  float block[SIDE][SIDE];
  for (size_t r = 0; r < SIDE; r++)
    for (size_t c = 0; c < SIDE; c++) block[r][c] = corner[r * b->width + c];
  moments m = moments_of(block);
  *bin = tdm_bin_of(__builtin_sqrtf(m.variance));
  return m.mean >= MARGIN && m.mean <= 255 - MARGIN;
}

static int is_flat(const blocks *b, size_t index) {
  size_t bin;
  return structure_at(&bin, b, index) && bin <= b->flat;
}

/// The flattest quarter; none where all are black or white, or there are none.
static blocks flat_blocks(const float *half, size_t width, size_t height) {
  blocks b = {.half = half, .width = width, .height = height, .across = width / SIDE};
  b.count = b.across * (height / SIDE);
  size_t structure[TDM_BINS] = {0}, total = 0, bin;
  for (size_t i = 0; i < b.count; i++)
    if (structure_at(&bin, &b, i)) {
      structure[bin]++;
      total++;
    }
  if (total == 0) b.count = 0;
  b.flat = tdm_quantile(structure, total, 0.25f);
  return b;
}

/// How much the light of the block at `p` differs from what lies along the motion, but for its
/// brightness, which may fade.
static float light_difference(const blocks *b, place p, const float *other, const float *flow) {
  float block[SIDE][SIDE];
  size_t width = b->width, height = b->height;
  for (size_t r = 0; r < SIDE; r++)
    for (size_t c = 0; c < SIDE; c++) {
      size_t at = (p.y + r) * width + p.x + c;
      float px = (float)(p.x + c) + flow[at], py = (float)(p.y + r) + flow[width * height + at];
      // Far outside everything is the border.
      px = px > -1 ? (px < (float)width ? px : (float)width) : -1;
      py = py > -1 ? (py < (float)height ? py : (float)height) : -1;
      float left = __builtin_floorf(px), top = __builtin_floorf(py), fx = px - left, fy = py - top;
      const float *above = other + tdm_clamped((ptrdiff_t)top, height) * width;
      const float *below = other + tdm_clamped((ptrdiff_t)top + 1, height) * width;
      size_t a = tdm_clamped((ptrdiff_t)left, width), z = tdm_clamped((ptrdiff_t)left + 1, width);
      float seen = (above[a] * (1 - fx) + above[z] * fx) * (1 - fy)
                   + (below[a] * (1 - fx) + below[z] * fx) * fy;
      block[r][c] = seen - b->half[at];
    }
  return __builtin_sqrtf(moments_of(block).variance / 2) / light_kept;
}

/// A picture and another, at their full size.
typedef struct {
  const float *own, *other;
  size_t width, height;
} pair;

/// The offset in whole pixels that a flow at half the size leads to, no farther than across the picture.
static ptrdiff_t whole_offset(float flow, size_t side) {
  float most = (float)side, offset = 2 * flow;
  offset = offset > -most ? (offset < most ? offset : most) : -most;
  return (ptrdiff_t)__builtin_floorf(offset + 0.5f);
}

/// How much the colours of a cell, at `x`, `y` of the picture, differ from those that lie along the
/// motion: their means, which whole pixels of motion serve.
static void cell_difference(
    float *colours, const pair *p, size_t x, size_t y, ptrdiff_t right, ptrdiff_t down) {
  float sums[3] = {0}, parts[3];
  for (size_t r = y; r < y + CELL; r++) {
    const float *own = p->own + 3 * r * p->width;
    const float *other = p->other + 3 * tdm_clamped((ptrdiff_t)r + down, p->height) * p->width;
    for (size_t c = x; c < x + CELL; c++) {
      const float *seen = other + 3 * tdm_clamped((ptrdiff_t)c + right, p->width);
      for (size_t k = 0; k < 3; k++) sums[k] += seen[k] - own[3 * c + k];
    }
  }
  tdm_light_and_colours(parts, sums);
  for (size_t k = 0; k < 2; k++) colours[k] = parts[k + 1] / (CELL * CELL);
}

/// The sums, over a block's cells, of how much their colours differ beyond `expected`, and of its
/// squares.
static void colours_differences(
    float *sums, float *squares, const pair *p, const blocks *b, place at, const float *flow,
    const float *expected) {
  for (size_t k = 0; k < 2; k++) sums[k] = squares[k] = 0;
  for (size_t r = 0; r < CELLS; r++)
    for (size_t c = 0; c < CELLS; c++) {
      size_t x = 2 * at.x + c * CELL, y = 2 * at.y + r * CELL;
      const float *u = flow + (y + CELL / 2) / 2 * b->width + (x + CELL / 2) / 2;
      const float *v = u + b->width * b->height;
      float colours[2];
      cell_difference(colours, p, x, y, whole_offset(*u, p->width), whole_offset(*v, p->height));
      for (size_t k = 0; k < 2; k++) {
        float beyond = colours[k] - expected[k];
        sums[k] += beyond;
        squares[k] += beyond * beyond;
      }
    }
}

/// Three quarters of the blocks differ by no more than so many eighths of a level: in the light, and
/// in each of the colours.
static void differing_bins(
    size_t *bins, const pair *p, const blocks *b, const float *other_half, const float *flow) {
  size_t differences[3][TDM_BINS] = {0}, seen = 0;
  float none[2] = {0}, sums[2], squares[2];
  double shifts[2] = {0};
  for (size_t i = 0; i < b->count; i++) {
    if (!is_flat(b, i)) continue;
    place at = place_of(b, i);
    differences[0][tdm_bin_of(light_difference(b, at, other_half, flow))]++;
    colours_differences(sums, squares, p, b, at, flow, none);
    for (size_t k = 0; k < 2; k++) shifts[k] += (double)sums[k];
    seen++;
  }
  // Colours may shift, all of them together. Their noise can be as coarse as a block.
  float expected[2];
  for (size_t k = 0; k < 2; k++)
    expected[k] = seen ? (float)(shifts[k] / (double)(seen * CELLS * CELLS)) : 0;
  for (size_t i = 0; i < b->count; i++) {
    if (!is_flat(b, i)) continue;
    colours_differences(sums, squares, p, b, place_of(b, i), flow, expected);
    for (size_t k = 0; k < 2; k++) {
      float deviation = __builtin_sqrtf(squares[k] / (2 * CELLS * CELLS)) / colours_kept;
      differences[k + 1][tdm_bin_of(deviation)]++;
    }
  }
  for (size_t k = 0; k < 3; k++) bins[k] = tdm_quantile(differences[k], seen, 0.75f);
}

void tdm_noise_along_motion(
    float *levels, const float *own, const float *pyramid, const float *const *others,
    const float *const *pyramids, const float *const *flows, size_t count, size_t width,
    size_t height) {
  for (size_t k = 0; k < 3; k++) levels[k] = 0;
  if (count == 0 || width / 2 < SIDE || height / 2 < SIDE) return;
  blocks b = flat_blocks(pyramid, width / 2, height / 2);
  if (b.count == 0) return;
  size_t least[3] = {TDM_BINS, TDM_BINS, TDM_BINS}, bins[3];
  for (size_t i = 0; i < count; i++) {
    pair p = {.own = own, .other = others[i], .width = width, .height = height};
    differing_bins(bins, &p, &b, pyramids[i], flows[i]);
    for (size_t k = 0; k < 3; k++) least[k] = bins[k] < least[k] ? bins[k] : least[k];
  }
  for (size_t k = 0; k < 3; k++) {
    float found = tdm_deviation_of(least[k]), error = k == 0 ? light_error : colours_error;
    if (found > error) levels[k] = __builtin_sqrtf(found * found - error * error);
  }
}

tdm_noise tdm_noise_of(const float *own, const float *along, float least) {
  tdm_noise noise;
  for (size_t k = 0; k < 3; k++) {
    noise.fine[k] = tdm_most(least, own[k]);
    noise.coarse[k] = tdm_most(noise.fine[k], along[k]);
  }
  // What an encoder has left of noise hides the light's texture, too; the colours' does not.
  noise.fine[0] = noise.coarse[0];
  return noise;
}
