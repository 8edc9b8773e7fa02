// Where what is seen in one frame lies in another: dense inverse search (Kroeger et al., arXiv
// 1603.03590). Patches are matched from the coarsest level of a pyramid to half the size, by
// Gauss-Newton steps on patches without their mean; what they find is averaged where they overlap,
// and at half the size refined pixel by pixel. (Refined on every level it is no better.)
#include <math.h>

#include "light.h"
#include "motion_refinement.h"
#include "scalar.h"

enum {
  SIDE = 8,  // of a patch
  STEP = 4,  // from a patch to the next
  AREA = SIDE * SIDE,
  MOST_LEVELS = 5,
  MOST_STEPS = 4,
};

// ---- Sizes

typedef struct {
  size_t width, height;
} size;

/// Level 1 has half the picture's sides.
static size level_size(size_t width, size_t height, int level) {
  return (size){width >> level, height >> level};
}

static int level_count(size_t width, size_t height) {
  int count = 0;
  while (count < MOST_LEVELS && width >> (count + 1) >= SIDE && height >> (count + 1) >= SIDE)
    count++;
  return count;
}

static size_t area(size s) { return s.width * s.height; }

/// Patches along a side; the last ends at the border.
static size_t patch_count(size_t side) { return (side - SIDE + STEP - 1) / STEP + 1; }

static size_t patch_place(size_t index, size_t side) {
  size_t place = index * STEP;
  return place < side - SIDE ? place : side - SIDE;
}

size_t tdm_motion_pyramid_count(size_t width, size_t height) {
  size_t count = 0;
  for (int l = 1; l <= level_count(width, height); l++)
    count += 3 * area(level_size(width, height, l));
  return count;
}

size_t tdm_motion_scratch_count(size_t width, size_t height) {
  if (level_count(width, height) == 0) return 0;
  size s = level_size(width, height, 1);
  // The flow of the level before, and patches' own.
  size_t matching = 2 * area(s) + 2 * patch_count(s.width) * patch_count(s.height);
  size_t refinement = tdm_refinement_scratch_count(s.width, s.height);
  return matching > refinement ? matching : refinement;
}

// ---- The pyramid

typedef struct {
  float *out;  // the level's picture, then its gradients along x and y
  const float *x;
  size from, to;
  size_t channels;
} level_job;

/// The means of blocks of 2 x 2 pixels; of channels the luma.
TDM_INLINE void halve_body(const level_job *j, size_t row) {
  size_t line = j->from.width * j->channels;
  const float *above = j->x + 2 * row * line, *below = above + line;
  float *out = j->out + row * j->to.width;
  if (j->channels == 3) {
    for (size_t i = 0; i < j->to.width; i++) {
      const float *a = above + 6 * i, *b = below + 6 * i;
      float red = (a[0] + a[3]) + (b[0] + b[3]), green = (a[1] + a[4]) + (b[1] + b[4]);
      float blue = (a[2] + a[5]) + (b[2] + b[5]);
      out[i] = TDM_RED / 4 * red + TDM_GREEN / 4 * green + TDM_BLUE / 4 * blue;
    }
  } else {
    for (size_t i = 0; i < j->to.width; i++)
      out[i] = (above[2 * i] + above[2 * i + 1] + below[2 * i] + below[2 * i + 1]) * 0.25f;
  }
}
TDM_DISPATCH(halve, (const level_job *j, size_t row), (j, row))

/// (1 2 1) / 4 along both sides, from `x` to `out`.
TDM_INLINE void soften_body(const level_job *j, size_t row) {
  size_t w = j->to.width, h = j->to.height;
  const float *m = j->x + row * w, *a = j->x + tdm_clamped((ptrdiff_t)row - 1, h) * w;
  const float *b = j->x + tdm_clamped((ptrdiff_t)row + 1, h) * w;
  float *out = j->out + row * w;
#define COLUMN(i) (a[i] + 2 * m[i] + b[i])
  for (size_t i = 1; i + 1 < w; i++)
    out[i] = (COLUMN(i - 1) + 2 * COLUMN(i) + COLUMN(i + 1)) * (1.0f / 16);
  out[0] = (3 * COLUMN(0) + COLUMN(1)) * (1.0f / 16);
  out[w - 1] = (3 * COLUMN(w - 1) + COLUMN(w - 2)) * (1.0f / 16);
#undef COLUMN
}
TDM_DISPATCH(soften, (const level_job *j, size_t row), (j, row))

TDM_INLINE void slope_body(const level_job *j, size_t row) {
  size_t w = j->to.width, h = j->to.height;
  const float *m = j->out + row * w, *a = j->out + tdm_clamped((ptrdiff_t)row - 1, h) * w;
  const float *b = j->out + tdm_clamped((ptrdiff_t)row + 1, h) * w;
  float *gx = j->out + (h + row) * w, *gy = j->out + (2 * h + row) * w;
  for (size_t i = 1; i + 1 < w; i++) gx[i] = (m[i + 1] - m[i - 1]) * 0.5f;
  gx[0] = (m[1] - m[0]) * 0.5f;
  gx[w - 1] = (m[w - 1] - m[w - 2]) * 0.5f;
  for (size_t i = 0; i < w; i++) gy[i] = (b[i] - a[i]) * 0.5f;
}
TDM_DISPATCH(slope, (const level_job *j, size_t row), (j, row))

static void halve_row(void *context, size_t row) { halve(context, row); }
static void soften_row(void *context, size_t row) { soften(context, row); }
static void slope_row(void *context, size_t row) { slope(context, row); }

void tdm_motion_pyramid(
    float *out, const float *picture, size_t width, size_t height, float *scratch, int threads) {
  int count = level_count(width, height);
  level_job j = {.x = picture, .from = {width, height}, .channels = 3};
  for (int l = 1; l <= count; l++) {
    j.to = level_size(width, height, l);
    // The level before is soft already; only the first has the frame's own noise.
    j.out = l == 1 ? scratch : out;
    tdm_parallel_for(threads, j.to.height, halve_row, &j);
    if (l == 1) {
      j.x = scratch;
      j.out = out;
      tdm_parallel_for(threads, j.to.height, soften_row, &j);
    }
    tdm_parallel_for(threads, j.to.height, slope_row, &j);
    j.x = out;
    j.from = j.to;
    j.channels = 1;
    out += 3 * area(j.to);
  }
}

// ---- Patches

typedef struct {
  const float *own, *other;  // a level of their pyramids
  size size;
  const float *coarse;  // flow of the level before, or none
  size coarse_size;
  float *patches;  // [patch rows, patch columns, 2]
  float *flow;     // [2, height, width]
} flow_job;

/// A patch's rows.
typedef float row8 __attribute__((ext_vector_type(SIDE), aligned(4)));

/// A patch of `picture`, `x` and `y` pixels from its own corner, between pixels by bilinear
/// interpolation.
TDM_INLINE void look(row8 *patch, const float *picture, size s, float x, float y) {
  float floor_x = floorf(x), floor_y = floorf(y), fx = x - floor_x, fy = y - floor_y;
  ptrdiff_t left = (ptrdiff_t)floor_x, top = (ptrdiff_t)floor_y;
  float region[(SIDE + 1) * (SIDE + 1)];
  const float *from = region;
  size_t line = SIDE + 1;
  if (left >= 0 && top >= 0 && left + SIDE < (ptrdiff_t)s.width &&
      top + SIDE < (ptrdiff_t)s.height) {
    from = picture + (size_t)top * s.width + (size_t)left;
    line = s.width;
  } else {
    for (int r = 0; r <= SIDE; r++)
      for (int c = 0; c <= SIDE; c++)
        region[r * (SIDE + 1) + c] =
            picture[tdm_clamped(top + r, s.height) * s.width + tdm_clamped(left + c, s.width)];
  }
  row8 above = 0;
  for (int r = 0; r <= SIDE; r++, from += line) {
    row8 below = (1 - fx) * *(const row8 *)from + fx * *(const row8 *)(from + 1);
    if (r > 0) patch[r - 1] = (1 - fy) * above + fy * below;
    above = below;
  }
}

/// Sums column by column, which the processor does side by side.
TDM_INLINE float sum_of(const row8 *columns) {
  float sum = 0;
  for (int i = 0; i < SIDE; i++) sum += (*columns)[i];
  return sum;
}

TDM_INLINE float product(const row8 *x, const row8 *y) {
  row8 columns = 0;
  for (int r = 0; r < SIDE; r++) columns += x[r] * y[r];
  return sum_of(&columns);
}

TDM_INLINE float total(const row8 *x) {
  row8 columns = 0;
  for (int r = 0; r < SIDE; r++) columns += x[r];
  return sum_of(&columns);
}

/// `look` less the patch's own picture and the mean of the difference.
/// - Returns: the sum of squares.
TDM_INLINE float
residual(row8 *out, const row8 *own, const float *picture, size s, float x, float y) {
  look(out, picture, s, x, y);
  for (int r = 0; r < SIDE; r++) out[r] -= own[r];
  float mean = total(out) / AREA;
  for (int r = 0; r < SIDE; r++) out[r] -= mean;
  return product(out, out);
}

/// Farther than this no patch is taken from: what lies outside of the picture says nothing.
TDM_INLINE float held(float u, float place, float side) {
  float least = -place - SIDE / 2, most = side - place - SIDE / 2;
  // Not a number becomes one.
  return u > least ? (u < most ? u : most) : least;
}

TDM_INLINE void match_body(const flow_job *j, size_t row) {
  size s = j->size;
  size_t y = patch_place(row, s.height), columns = patch_count(s.width);
  for (size_t column = 0; column < columns; column++) {
    size_t x = patch_place(column, s.width);
    row8 own[SIDE], gx[SIDE], gy[SIDE], error[SIDE];
    for (int r = 0; r < SIDE; r++) {
      const float *at = j->own + (y + (size_t)r) * s.width + x;
      own[r] = *(const row8 *)at;
      gx[r] = *(const row8 *)(at + area(s));
      gy[r] = *(const row8 *)(at + 2 * area(s));
    }
    float sx = total(gx) / AREA, sy = total(gy) / AREA;
    for (int r = 0; r < SIDE; r++) {
      gx[r] -= sx;
      gy[r] -= sy;
    }
    // Flat patches, and those along an edge, stay where they are believed to be.
    float still = 0.5f * AREA;
    float xx = product(gx, gx) + still, xy = product(gx, gy), yy = product(gy, gy) + still;
    float determinant = xx * yy - xy * xy;

    // The best of what the level before saw here and around, and of no motion.
    float u = 0, v = 0, best = residual(error, own, j->other, s, (float)x, (float)y);
    if (j->coarse) {
      static const int around[5][2] = {{0, 0}, {-SIDE, 0}, {SIDE, 0}, {0, -SIDE}, {0, SIDE}};
      size cs = j->coarse_size;
      for (int i = 0; i < 5; i++) {
        size_t cx = tdm_clamped(((ptrdiff_t)x + SIDE / 2 + around[i][0]) / 2, cs.width);
        size_t cy = tdm_clamped(((ptrdiff_t)y + SIDE / 2 + around[i][1]) / 2, cs.height);
        float cu = held(2 * j->coarse[cy * cs.width + cx], (float)x, (float)s.width);
        float cv = held(2 * j->coarse[area(cs) + cy * cs.width + cx], (float)y, (float)s.height);
        float cost = residual(error, own, j->other, s, (float)x + cu, (float)y + cv);
        // No motion has to be better by more than chance.
        if (cost < (i == 0 ? 1.05f : 1.0f) * best) u = cu, v = cv, best = cost;
      }
    }
    float bu = u, bv = v;
    float cost = residual(error, own, j->other, s, (float)x + u, (float)y + v);
    for (int step = 0; step < MOST_STEPS; step++) {
      float ex = product(gx, error), ey = product(gy, error);
      float du = (yy * ex - xy * ey) / determinant, dv = (xx * ey - xy * ex) / determinant;
      u = held(u - du, (float)x, (float)s.width);
      v = held(v - dv, (float)y, (float)s.height);
      cost = residual(error, own, j->other, s, (float)x + u, (float)y + v);
      if (cost < best) best = cost, bu = u, bv = v;
      if (du * du + dv * dv < 1e-3f) break;
    }
    float *out = j->patches + 2 * (row * columns + column);
    out[0] = bu;
    out[1] = bv;
  }
}
TDM_DISPATCH(match, (const flow_job *j, size_t row), (j, row))

/// A row of pixels: the mean of the patches over each, those counting more that match better there.
TDM_INLINE void spread_body(const flow_job *j, size_t row) {
  size s = j->size;
  size_t columns = patch_count(s.width), rows = patch_count(s.height);
  float *u = j->flow + row * s.width, *v = u + area(s);
  const float *own = j->own + row * s.width;
  // Few enough rows of patches to go over all that may cover this one.
  size_t first = row < SIDE ? 0 : (row - SIDE) / STEP;
  for (size_t from = 0; from < s.width; from += 256) {
    size_t to = from + 256 < s.width ? from + 256 : s.width;
    float sum_u[256 + SIDE] = {0}, sum_v[256 + SIDE] = {0}, sum[256 + SIDE] = {0};
    size_t begin = from < SIDE ? 0 : (from - SIDE) / STEP;
    for (size_t r = first; r < rows; r++) {
      size_t y = patch_place(r, s.height);
      if (y > row) break;
      if (y + SIDE <= row) continue;
      for (size_t c = begin; c < columns; c++) {
        size_t x = patch_place(c, s.width);
        if (x >= to) break;
        const float *patch = j->patches + 2 * (r * columns + c);
        float px = (float)x + patch[0], py = (float)row + patch[1];
        float floor_x = floorf(px), floor_y = floorf(py), fx = px - floor_x, fy = py - floor_y;
        size_t top = tdm_clamped((ptrdiff_t)floor_y, s.height) * s.width;
        size_t bottom = tdm_clamped((ptrdiff_t)floor_y + 1, s.height) * s.width;
        float seen[SIDE + 1];
        for (int i = 0; i <= SIDE; i++) {
          size_t at = tdm_clamped((ptrdiff_t)floor_x + i, s.width);
          seen[i] = j->other[top + at] * (1 - fy) + j->other[bottom + at] * fy;
        }
        for (int i = 0; i < SIDE; i++) {
          size_t at = x + (size_t)i;
          if (at < from || at >= to) continue;
          float difference = seen[i] * (1 - fx) + seen[i + 1] * fx - own[at];
          difference = difference < 0 ? -difference : difference;
          float weight = 1 / (difference > 1 ? difference : 1);
          sum[at - from] += weight;
          sum_u[at - from] += weight * patch[0];
          sum_v[at - from] += weight * patch[1];
        }
      }
    }
    for (size_t i = from; i < to; i++) {
      u[i] = sum_u[i - from] / sum[i - from];
      v[i] = sum_v[i - from] / sum[i - from];
    }
  }
}
TDM_DISPATCH(spread, (const flow_job *j, size_t row), (j, row))

static void match_row(void *context, size_t row) { match(context, row); }
static void spread_row(void *context, size_t row) { spread(context, row); }

void tdm_motion(
    float *flow, const float *own, const float *other, size_t width, size_t height, float *scratch,
    int threads) {
  int count = level_count(width, height);
  if (count == 0) {
    memset(flow, 0, 2 * (width / 2) * (height / 2) * sizeof(float));
    return;
  }
  size_t offset = tdm_motion_pyramid_count(width, height);
  // Flows take turns, so that the last is where it is wanted.
  float *turns[2] = {flow, scratch};
  flow_job j = {.patches = scratch + 2 * area(level_size(width, height, 1))};
  for (int l = count; l >= 1; l--) {
    j.size = level_size(width, height, l);
    offset -= 3 * area(j.size);
    j.own = own + offset;
    j.other = other + offset;
    j.flow = turns[(l - 1) % 2];
    tdm_parallel_for(threads, patch_count(j.size.height), match_row, &j);
    tdm_parallel_for(threads, j.size.height, spread_row, &j);
    j.coarse = j.flow;
    j.coarse_size = j.size;
  }
  tdm_refine_motion(flow, j.own, j.other, j.size.width, j.size.height, scratch, threads);
}
