// 3x3 convolutions in float32 with a quarter of the multiplications: tiles of 4x4 pixels of the
// result, each from 6x6 of the image, as 36 products of matrices.
//
// Reference: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks
// (arXiv 1509.09308), F(4x4, 3x3).
#include "vector.h"

// A tile of the result, of the image, and the products for each pair of channels.
enum { TILE = 4, PATCH = 6, PRODUCTS = PATCH * PATCH };

// Tiles are transformed, multiplied and transformed back in chunks that stay in a core's cache:
// about so many bytes.
enum { CHUNK_BYTES = 512 * 1024 };
// A multiple of the rows that any instruction set's products take at a time.
enum { ROWS_TOGETHER = 24 };

// Sums are held in registers only where no loop over them is left.
#define TDM_UNROLL _Pragma("clang loop unroll(full)")

typedef struct {
  float *out;
  const float *x, *weight, *bias, *residual;
  size_t height, width, inputs, outputs;
  tdm_activation activation;
  size_t columns, tiles;     // of the picture
  size_t chunk, chunks;      // tiles in each but the last; how many
  size_t shares;             // of the chunks, one for each thread
  float *scratch;
  size_t scratch_count;      // floats for each share
} job;

static size_t most_tiles(size_t inputs, size_t outputs) {
  size_t tiles = CHUNK_BYTES / (PRODUCTS * (inputs + outputs) * sizeof(float));
  tiles -= tiles % ROWS_TOGETHER;
  return tiles < ROWS_TOGETHER ? ROWS_TOGETHER : tiles;
}

// Floats between one product's matrix and the next: with as many channels as fill vectors never a
// multiple of a page, or all would fall into the same places of the cache.
static size_t plane(size_t tiles, size_t channels) {
  size_t rounded = (tiles + ROWS_TOGETHER - 1) / ROWS_TOGETHER * ROWS_TOGETHER;
  return rounded * channels + TDM_LANE_COUNT;
}

static size_t share_count(size_t inputs, size_t outputs) {
  size_t tiles = most_tiles(inputs, outputs);
  return PRODUCTS * (plane(tiles, inputs) + plane(tiles, outputs)) + inputs;
}

// ---- Weights

typedef struct {
  float *out;
  const float *weight;
  size_t inputs, outputs;
} weight_job;

// G g G^T of the kernels from one output's inputs.
static void transform_weight(void *context, size_t output) {
  static const double g[PATCH][3] = {
      {1. / 4, 0, 0},          {-1. / 6, -1. / 6, -1. / 6}, {-1. / 6, 1. / 6, -1. / 6},
      {1. / 24, 1. / 12, 1. / 6}, {1. / 24, -1. / 12, 1. / 6}, {0, 0, 1},
  };
  const weight_job *j = context;
  size_t group = output / TDM_LANE_COUNT, lane = output % TDM_LANE_COUNT;
  for (size_t input = 0; input < j->inputs; input++) {
    const float *kernel = j->weight + (output * j->inputs + input) * 9;
    double half[PATCH][3];
    for (int a = 0; a < PATCH; a++)
      for (int b = 0; b < 3; b++)
        half[a][b] = g[a][0] * (double)kernel[b] + g[a][1] * (double)kernel[3 + b] +
                     g[a][2] * (double)kernel[6 + b];
    for (int a = 0; a < PATCH; a++)
      for (int b = 0; b < PATCH; b++) {
        double value = half[a][0] * g[b][0] + half[a][1] * g[b][1] + half[a][2] * g[b][2];
        size_t product = (size_t)(a * PATCH + b);
        size_t row = (product * (j->outputs / TDM_LANE_COUNT) + group) * j->inputs + input;
        j->out[row * TDM_LANE_COUNT + lane] = (float)value;
      }
  }
}

void tdm_winograd_weight(
    float *out, const float *weight, size_t inputs, size_t outputs, int threads) {
  weight_job j = {out, weight, inputs, outputs};
  tdm_parallel_for(threads, outputs, transform_weight, &j);
}

// ---- To the products

// B^T d
TDM_INLINE void transform_six(const tdm_v16 d[PATCH], tdm_v16 out[PATCH]) {
  tdm_v16 even = d[4] - 4 * d[2], odd = d[3] - 4 * d[1];
  tdm_v16 even2 = d[4] - d[2], odd2 = 2 * (d[3] - d[1]);
  out[0] = 4 * d[0] - 5 * d[2] + d[4];
  out[1] = even + odd;
  out[2] = even - odd;
  out[3] = even2 + odd2;
  out[4] = even2 - odd2;
  out[5] = 4 * d[1] - 5 * d[3] + d[5];
}

// A tile's 6x6 pixels, outside of the image zeros, to row `row` of the 36 matrices.
TDM_INLINE void transform_patch(
    const job *j, size_t tile, float *matrices, size_t step, size_t row, const float *zeros) {
  size_t top = tile / j->columns * TILE, left = tile % j->columns * TILE;
  const float *pixels[PATCH][PATCH];
  for (size_t a = 0; a < PATCH; a++)
    for (size_t b = 0; b < PATCH; b++) {
      size_t y = top + a - 1, x = left + b - 1;  // -1 wraps round, and is outside, too
      int inside = y < j->height && x < j->width;
      pixels[a][b] = inside ? j->x + (y * j->width + x) * j->inputs : zeros;
    }
  for (size_t c = 0; c < j->inputs; c += TDM_LANE_COUNT) {
    // The last channels once more rather than fewer at a time.
    size_t first = c + TDM_LANE_COUNT <= j->inputs ? c : j->inputs - TDM_LANE_COUNT;
    tdm_v16 half[PATCH][PATCH];
    for (int a = 0; a < PATCH; a++) {
      tdm_v16 line[PATCH];
      for (int b = 0; b < PATCH; b++) memcpy(&line[b], pixels[a][b] + first, sizeof line[b]);
      transform_six(line, half[a]);
    }
    float *out = matrices + row * j->inputs + first;
    for (int b = 0; b < PATCH; b++) {
      tdm_v16 line[PATCH], done[PATCH];
      for (int a = 0; a < PATCH; a++) line[a] = half[a][b];
      transform_six(line, done);
      for (int a = 0; a < PATCH; a++)
        memcpy(out + (size_t)(a * PATCH + b) * step, &done[a], sizeof done[a]);
    }
  }
}

// ---- The products

// `rows` tiles by `groups` groups of 16 outputs.
TDM_INLINE void multiply(
    const float *tiles, const float *weight, size_t inputs, float *out, size_t outputs,
    const int rows, const int groups) {
  tdm_v16 sum[12][3];
  TDM_UNROLL
  for (int r = 0; r < rows; r++)
    for (int g = 0; g < groups; g++) sum[r][g] = 0;
  for (size_t c = 0; c < inputs; c++) {
    tdm_v16 w[3];
    for (int g = 0; g < groups; g++)
      memcpy(&w[g], weight + ((size_t)g * inputs + c) * TDM_LANE_COUNT, sizeof w[g]);
    TDM_UNROLL
    for (int r = 0; r < rows; r++) {
      float x = tiles[(size_t)r * inputs + c];
      for (int g = 0; g < groups; g++) sum[r][g] += x * w[g];
    }
  }
  TDM_UNROLL
  for (int r = 0; r < rows; r++)
    for (int g = 0; g < groups; g++)
      memcpy(out + (size_t)r * outputs + g * TDM_LANE_COUNT, &sum[r][g], sizeof sum[r][g]);
}

// One of the 36 matrices. A group's weights stay in the nearest cache for all tiles.
TDM_INLINE void multiply_matrix(
    const job *j, const float *tiles, size_t count, const float *weight, float *out,
    const int rows, const int groups) {
  size_t all = j->outputs / TDM_LANE_COUNT, group = 0;
  for (; group + (size_t)groups <= all; group += (size_t)groups)
    for (size_t t = 0; t < count; t += (size_t)rows)
      multiply(
          tiles + t * j->inputs, weight + group * j->inputs * TDM_LANE_COUNT, j->inputs,
          out + t * j->outputs + group * TDM_LANE_COUNT, j->outputs, rows, groups);
  for (; group < all; group++)
    for (size_t t = 0; t < count; t += (size_t)rows)
      multiply(
          tiles + t * j->inputs, weight + group * j->inputs * TDM_LANE_COUNT, j->inputs,
          out + t * j->outputs + group * TDM_LANE_COUNT, j->outputs, rows, 1);
}

// ---- From the products

// A^T m
TDM_INLINE void transform_four(const tdm_v16 m[PATCH], tdm_v16 out[TILE]) {
  tdm_v16 sum = m[1] + m[2], difference = m[1] - m[2];
  tdm_v16 sum2 = m[3] + m[4], difference2 = m[3] - m[4];
  out[0] = m[0] + sum + sum2;
  out[1] = difference + 2 * difference2;
  out[2] = sum + 4 * sum2;
  out[3] = difference + 8 * difference2 + m[5];
}

// Row `row` of the 36 matrices to a tile's pixels, as far as they are in the image.
TDM_INLINE void transform_tile(
    tdm_activation activation, const job *j, size_t tile, const float *matrices, size_t step,
    size_t row) {
  size_t top = tile / j->columns * TILE, left = tile % j->columns * TILE;
  size_t down = j->height - top, across = j->width - left;
  for (size_t c = 0; c < j->outputs; c += TDM_LANE_COUNT) {
    const float *in = matrices + row * j->outputs + c;
    tdm_v16 half[TILE][PATCH], bias;
    memcpy(&bias, j->bias + c, sizeof bias);
    for (int b = 0; b < PATCH; b++) {
      tdm_v16 line[PATCH], done[TILE];
      for (int a = 0; a < PATCH; a++)
        memcpy(&line[a], in + (size_t)(a * PATCH + b) * step, sizeof line[a]);
      transform_four(line, done);
      for (int a = 0; a < TILE; a++) half[a][b] = done[a];
    }
    for (size_t a = 0; a < TILE && a < down; a++) {
      tdm_v16 done[TILE];
      transform_four(half[a], done);
      for (size_t b = 0; b < TILE && b < across; b++) {
        size_t place = ((top + a) * j->width + left + b) * j->outputs + c;
        tdm_v16 value = done[b] + bias, residual;
        if (j->residual) {
          memcpy(&residual, j->residual + place, sizeof residual);
          value += residual;
        }
        float *out = j->out + place;
        memcpy(out, &value, sizeof value);
        if (activation != TDM_NONE) {
          TDM_LANES
          for (int i = 0; i < TDM_LANE_COUNT; i++) out[i] = tdm_activation_of(activation, out[i]);
        }
      }
    }
  }
}

// ---- All of it

// The chunks of one thread. `rows` and `groups` say how many sums are held in registers.
TDM_INLINE void share_body(const job *j, size_t share, const int rows, const int groups) {
  float *zeros = j->scratch + share * j->scratch_count, *tiles = zeros + j->inputs;
  size_t in_step = plane(j->chunk, j->inputs), out_step = plane(j->chunk, j->outputs);
  float *products = tiles + PRODUCTS * in_step;
  memset(zeros, 0, j->inputs * sizeof *zeros);
  size_t from = j->chunks * share / j->shares, to = j->chunks * (share + 1) / j->shares;
  for (size_t chunk = from; chunk < to; chunk++) {
    size_t first = chunk * j->chunk, left = j->tiles - first;
    size_t count = left < j->chunk ? left : j->chunk;
    for (size_t t = 0; t < count; t++) transform_patch(j, first + t, tiles, in_step, t, zeros);
    // Whole groups of rows: those behind the last tile are nobody's, but must not hold up the
    // processor with what lies there.
    size_t rounded = (count + (size_t)rows - 1) / (size_t)rows * (size_t)rows;
    for (size_t p = 0; p < PRODUCTS; p++) {
      float *matrix = tiles + p * in_step;
      memset(matrix + count * j->inputs, 0, (rounded - count) * j->inputs * sizeof *matrix);
      multiply_matrix(
          j, matrix, rounded, j->weight + p * j->inputs * j->outputs, products + p * out_step, rows,
          groups);
    }
    TDM_FOR_ACTIVATION(j->activation, A, {
      for (size_t t = 0; t < count; t++) transform_tile(A, j, first + t, products, out_step, t);
    })
  }
}

static void share_plain(void *context, size_t share) { share_body(context, share, 2, 1); }
#if TDM_X86
TDM_AVX2 static void share_avx2(void *context, size_t share) { share_body(context, share, 6, 1); }
TDM_AVX512 static void share_avx512(void *context, size_t share) {
  const job *j = context;
  if (j->outputs / TDM_LANE_COUNT % 3 == 0)
    share_body(j, share, 8, 3);
  else
    share_body(j, share, 12, 2);
}
#endif

size_t tdm_winograd_scratch(size_t inputs, size_t outputs, int threads) {
  return (size_t)threads * share_count(inputs, outputs) * sizeof(float);
}

void tdm_winograd(
    float *out, const float *x, size_t height, size_t width, size_t inputs, size_t outputs,
    const float *weight, const float *bias, const float *residual, tdm_activation activation,
    void *scratch, int threads) {
  size_t columns = (width + TILE - 1) / TILE, rows = (height + TILE - 1) / TILE;
  job j = {
      .out = out, .x = x, .weight = weight, .bias = bias, .residual = residual, .height = height,
      .width = width, .inputs = inputs, .outputs = outputs, .activation = activation,
      .columns = columns, .tiles = rows * columns, .shares = (size_t)threads, .scratch = scratch,
      .scratch_count = share_count(inputs, outputs),
  };
  // About as many chunks for each thread, as large as fits.
  size_t most = most_tiles(inputs, outputs);
  j.chunks = (j.tiles + most - 1) / most;
  j.chunks = (j.chunks + j.shares - 1) / j.shares * j.shares;
  j.chunk = (j.tiles + j.chunks - 1) / j.chunks;
  j.chunks = (j.tiles + j.chunk - 1) / j.chunk;
  void (*body)(void *, size_t) = share_plain;
#if TDM_X86
  tdm_isa isa = tdm_isa_current();
  if (isa >= TDM_ISA_AVX512)
    body = share_avx512;
  else if (isa >= TDM_ISA_AVX2)
    body = share_avx2;
#endif
  tdm_parallel_for(threads, j.shares, body, &j);
}
