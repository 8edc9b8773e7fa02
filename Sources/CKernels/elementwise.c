// Functions of the elements at one index: activations, sums, clamps and conversions.
#include "pieces.h"
#include "scalar.h"

typedef struct {
  tdm_type type, x_type;
  void *out;
  const void *x, *y;
  float a, b;
  size_t rows, piece;  // an element is a row
  tdm_activation activation;
} job;

// ---- The loops

TDM_INLINE void activate_body(const job *j, size_t from, size_t to) {
  void *out = j->out;
  const void *x = j->x;
  TDM_FOR_TYPE(j->type, T, TDM_FOR_ACTIVATION(j->activation, A, {
    TDM_LANES
    for (size_t i = from; i < to; i++)
      tdm_store(T, out, i, tdm_activation_of(A, tdm_load(T, x, i)));
  }))
}
TDM_DISPATCH(activate, (const job *j, size_t from, size_t to), (j, from, to))

TDM_INLINE void add_body(const job *j, size_t from, size_t to) {
  void *out = j->out;
  const void *x = j->x, *y = j->y;
  float scale = j->b;
  TDM_FOR_TYPE(j->type, T, {
    TDM_LANES
    for (size_t i = from; i < to; i++)
      tdm_store(T, out, i, tdm_load(T, x, i) + scale * tdm_load(T, y, i));
  })
}
TDM_DISPATCH(add, (const job *j, size_t from, size_t to), (j, from, to))

TDM_INLINE void multiply_body(const job *j, size_t from, size_t to) {
  void *out = j->out;
  const void *x = j->x, *y = j->y;
  TDM_FOR_TYPE(j->type, T, {
    TDM_LANES
    for (size_t i = from; i < to; i++)
      tdm_store(T, out, i, tdm_load(T, x, i) * tdm_load(T, y, i));
  })
}
TDM_DISPATCH(multiply, (const job *j, size_t from, size_t to), (j, from, to))

TDM_INLINE void combine_body(const job *j, size_t from, size_t to) {
  float *out = j->out;
  const float *x = j->x, *y = j->y;
  float a = j->a, b = j->b;
  TDM_LANES
  for (size_t i = from; i < to; i++) out[i] = a * x[i] + b * y[i];
}
TDM_DISPATCH(combine, (const job *j, size_t from, size_t to), (j, from, to))

TDM_INLINE void soft_clamp_body(const job *j, size_t from, size_t to) {
  void *out = j->out;
  const void *x = j->x;
  float limit = j->a, inverse = 1.0f / limit;
  TDM_FOR_TYPE(j->type, T, {
    TDM_LANES
    for (size_t i = from; i < to; i++)
      tdm_store(T, out, i, limit * tdm_tanh(tdm_load(T, x, i) * inverse));
  })
}
TDM_DISPATCH(soft_clamp, (const job *j, size_t from, size_t to), (j, from, to))

TDM_INLINE void affine_body(const job *j, size_t from, size_t to) {
  void *out = j->out;
  const void *x = j->x;
  float scale = j->a, offset = j->b;
  TDM_FOR_TYPE(j->type, T, TDM_FOR_TYPE(j->x_type, X, {
    TDM_LANES
    for (size_t i = from; i < to; i++)
      tdm_store(T, out, i, tdm_load(X, x, i) * scale + offset);
  }))
}
TDM_DISPATCH(affine, (const job *j, size_t from, size_t to), (j, from, to))

TDM_INLINE void halves_body(const job *j, size_t from, size_t to) {
  float *out = j->out;
  const uint16_t *x = j->x;
  TDM_LANES
  for (size_t i = from; i < to; i++) {
    uint32_t h = x[i];
    // The product moves the exponent's bias and makes subnormal halves normal, exactly.
    float magnitude = tdm_float((h & 0x7fff) << 13) * 0x1p112f;
    uint32_t special = (h & 0x7c00) == 0x7c00 ? 0x7f800000 : 0;
    out[i] = tdm_float(tdm_bits(magnitude) | special | (h & 0x8000) << 16);
  }
}
TDM_DISPATCH(halves, (const job *j, size_t from, size_t to), (j, from, to))

// ---- Spread over the threads

TDM_PIECES(activate)
TDM_PIECES(add)
TDM_PIECES(multiply)
TDM_PIECES(combine)
TDM_PIECES(soft_clamp)
TDM_PIECES(affine)
TDM_PIECES(halves)

static void run(job j, void (*piece)(void *, size_t), int threads) {
  j.piece = TDM_PIECE;
  tdm_parallel_for(threads, (j.rows + TDM_PIECE - 1) / TDM_PIECE, piece, &j);
}

void tdm_activate(
    tdm_type type, void *out, const void *x, size_t count, tdm_activation activation, int threads) {
  run((job){.type = type, .out = out, .x = x, .rows = count, .activation = activation},
      activate_piece, threads);
}

void tdm_add(
    tdm_type type, void *out, const void *a, const void *b, float scale, size_t count,
    int threads) {
  run((job){.type = type, .out = out, .x = a, .y = b, .b = scale, .rows = count}, add_piece,
      threads);
}

void tdm_multiply(
    tdm_type type, void *out, const void *a, const void *b, size_t count, int threads) {
  run((job){.type = type, .out = out, .x = a, .y = b, .rows = count}, multiply_piece, threads);
}

void tdm_combine(
    float *out, float a, const float *x, float b, const float *y, size_t count, int threads) {
  run((job){.out = out, .x = x, .y = y, .a = a, .b = b, .rows = count}, combine_piece, threads);
}

void tdm_soft_clamp(
    tdm_type type, void *out, const void *x, float limit, size_t count, int threads) {
  run((job){.type = type, .out = out, .x = x, .a = limit, .rows = count}, soft_clamp_piece,
      threads);
}

void tdm_affine(
    tdm_type out_type, void *out, tdm_type x_type, const void *x, float scale, float offset,
    size_t count, int threads) {
  run((job){.type = out_type, .x_type = x_type, .out = out, .x = x, .a = scale, .b = offset,
            .rows = count},
      affine_piece, threads);
}

void tdm_f16_to_f32(float *out, const uint16_t *x, size_t count, int threads) {
  run((job){.out = out, .x = x, .rows = count}, halves_piece, threads);
}
