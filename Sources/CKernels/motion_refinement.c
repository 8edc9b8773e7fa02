// Variational refinement of a flow: patches see the motion of what lies in them, and take noise for
// motion where that is little. Sought is the flow w with the least sum over all pixels of
//
//   |other(x + w) - own(x)|  +  smoothness |grad w|
//
// both rounded off near zero, other being linear about where the flow begins. Both are made square
// by weights that follow the flow (Brox et al. 2004), and each pixel then goes to its own optimum
// among its neighbours (Jacobi), so that rows can be worked on side by side.
#include "motion_refinement.h"

#include "scalar.h"

enum {
  REWEIGHTINGS = 3,
  MOVES = 12,  // between them; even, so that the flow ends where it began
};

static const float smoothness = 40, round_level = 3, round_slope = 0.02f;

typedef struct {
  const float *own, *other;
  size_t width, height;
  // All [height, width]. The weight of an edge is kept by the pixel to its left or above it.
  float *slope_x, *slope_y, *offset;  // the difference of the pictures, linear in the flow
  float *agreement, *right, *down;    // the weights
  float *flow, *next;                 // [2, height, width]
  float *nothing;                     // [width], zeros: above the first row
} job;

size_t tdm_refinement_scratch_count(size_t width, size_t height) {
  return 8 * width * height + width;
}

/// The pictures' difference about the flow, by the mean of their gradients.
TDM_INLINE void linearize_body(const job *j, size_t row) {
  size_t w = j->width, h = j->height, area = w * h;
  for (size_t i = row * w; i < (row + 1) * w; i++) {
    float u = j->flow[i], v = j->flow[area + i];
    float x = (float)(i - row * w) + u, y = (float)row + v;
    float left = floorf(x), top = floorf(y), fx = x - left, fy = y - top;
    size_t x0 = tdm_clamped((ptrdiff_t)left, w), x1 = tdm_clamped((ptrdiff_t)left + 1, w);
    size_t y0 = tdm_clamped((ptrdiff_t)top, h) * w, y1 = tdm_clamped((ptrdiff_t)top + 1, h) * w;
    float seen[3];
    for (size_t k = 0; k < 3; k++) {
      const float *plane = j->other + k * area;
      float above = plane[y0 + x0] * (1 - fx) + plane[y0 + x1] * fx;
      float below = plane[y1 + x0] * (1 - fx) + plane[y1 + x1] * fx;
      seen[k] = above * (1 - fy) + below * fy;
    }
    // What lies outside of the picture agrees with nothing.
    int inside = x >= 0 && y >= 0 && x <= (float)(w - 1) && y <= (float)(h - 1);
    float gx = inside ? 0.5f * (seen[1] + j->own[area + i]) : 0;
    float gy = inside ? 0.5f * (seen[2] + j->own[2 * area + i]) : 0;
    j->slope_x[i] = gx;
    j->slope_y[i] = gy;
    j->offset[i] = seen[0] - j->own[i] - gx * u - gy * v;
  }
}
TDM_DISPATCH(linearize, (const job *j, size_t row), (j, row))

TDM_INLINE void weigh_body(const job *j, size_t row) {
  size_t w = j->width, area = w * j->height, from = row * w, to = from + w;
  const float *u = j->flow, *v = j->flow + area;
  TDM_LANES
  for (size_t i = from; i < to; i++) {
    float difference = j->offset[i] + j->slope_x[i] * u[i] + j->slope_y[i] * v[i];
    j->agreement[i] = 1 / __builtin_sqrtf(difference * difference + round_level * round_level);
  }
  size_t below = row + 1 < j->height ? w : 0;
  TDM_LANES
  for (size_t i = from; i < to; i++) {
    size_t behind = i + 1 < to;
    float ux = u[i + behind] - u[i], vx = v[i + behind] - v[i];
    float uy = u[i + below] - u[i], vy = v[i + below] - v[i];
    float square = ux * ux + vx * vx + uy * uy + vy * vy + round_slope * round_slope;
    float weight = smoothness / __builtin_sqrtf(square);
    j->right[i] = behind ? weight : 0;
    j->down[i] = below ? weight : 0;
  }
}
TDM_DISPATCH(weigh, (const job *j, size_t row), (j, row))

TDM_INLINE void move_body(const job *j, size_t row) {
  size_t w = j->width, area = w * j->height, from = row * w;
  const float *u = j->flow + from, *v = u + area;
  const float *gx = j->slope_x + from, *gy = j->slope_y + from, *offset = j->offset + from;
  const float *agreement = j->agreement + from, *right = j->right + from, *down = j->down + from;
  // Weights are zero where there is no row: then it does not matter what is read of it.
  const float *up = row > 0 ? down - w : j->nothing;
  size_t above = row > 0 ? w : 0, below = row + 1 < j->height ? w : 0;
  const float *ua = u - above, *va = v - above, *ub = u + below, *vb = v + below;
  float *next_u = j->next + from, *next_v = next_u + area;
#define MOVE(i, left, before, behind)                                                              \
  do {                                                                                             \
    float sum = (left) + right[i] + up[i] + down[i];                                               \
    float bu = (left)*u[before] + right[i] * u[behind] + up[i] * ua[i] + down[i] * ub[i];          \
    float bv = (left)*v[before] + right[i] * v[behind] + up[i] * va[i] + down[i] * vb[i];          \
    float dx = agreement[i] * gx[i], dy = agreement[i] * gy[i];                                    \
    bu -= dx * offset[i];                                                                          \
    bv -= dy * offset[i];                                                                          \
    float xx = dx * gx[i] + sum, xy = dx * gy[i], yy = dy * gy[i] + sum;                           \
    float share = 1 / (xx * yy - xy * xy);                                                         \
    next_u[i] = (yy * bu - xy * bv) * share;                                                       \
    next_v[i] = (xx * bv - xy * bu) * share;                                                       \
  } while (0)
  MOVE(0, 0.0f, 0, 1);
  TDM_LANES
  for (size_t i = 1; i < w - 1; i++) MOVE(i, right[i - 1], i - 1, i + 1);
  MOVE(w - 1, right[w - 2], w - 2, w - 1);
#undef MOVE
}
TDM_DISPATCH(move, (const job *j, size_t row), (j, row))

static void linearize_row(void *context, size_t row) { linearize(context, row); }
static void weigh_row(void *context, size_t row) { weigh(context, row); }
static void move_row(void *context, size_t row) { move(context, row); }

void tdm_refine_motion(
    float *flow, const float *own, const float *other, size_t width, size_t height, float *scratch,
    int threads) {
  size_t area = width * height;
  job j = {
      .own = own, .other = other, .width = width, .height = height, .flow = flow, .next = scratch,
      .slope_x = scratch + 2 * area, .slope_y = scratch + 3 * area, .offset = scratch + 4 * area,
      .agreement = scratch + 5 * area, .right = scratch + 6 * area, .down = scratch + 7 * area,
      .nothing = scratch + 8 * area};
  memset(j.nothing, 0, width * sizeof(float));
  tdm_parallel_for(threads, height, linearize_row, &j);
  for (int i = 0; i < REWEIGHTINGS; i++) {
    tdm_parallel_for(threads, height, weigh_row, &j);
    for (int k = 0; k < MOVES; k++) {
      tdm_parallel_for(threads, height, move_row, &j);
      float *moved = j.next;
      j.next = j.flow;
      j.flow = moved;
    }
  }
}
