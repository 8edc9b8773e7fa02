// libgomp's own entry points: the threads that oneDNN's OpenMP regions run on are then the ones
// that these kernels run on.
#include "CKernels.h"

extern void GOMP_parallel(void (*fn)(void *), void *data, unsigned threads, unsigned flags);
extern int omp_get_thread_num(void);
extern int omp_get_num_threads(void);
extern int omp_get_num_procs(void);
extern int omp_get_thread_limit(void);
extern void omp_set_num_threads(int threads);
extern void omp_set_dynamic(int is_dynamic);
extern void omp_set_max_active_levels(int levels);

typedef struct {
  size_t count;
  void (*body)(void *, size_t);
  void *context;
  tdm_isa limit;  // the caller's
} loop;

static void run(void *data) {
  const loop *l = data;
  tdm_isa_limit(l->limit);
  size_t thread = (size_t)omp_get_thread_num(), threads = (size_t)omp_get_num_threads();
  // Contiguous shares keep each thread in its own part of memory.
  size_t from = l->count * thread / threads, to = l->count * (thread + 1) / threads;
  for (size_t i = from; i < to; i++) l->body(l->context, i);
}

void tdm_parallel_for(int threads, size_t count, void (*body)(void *, size_t), void *context) {
  loop l = {count, body, context, tdm_isa_current()};
  if (threads > 1 && (size_t)threads > count) threads = (int)count;
  if (threads <= 1) {
    for (size_t i = 0; i < count; i++) body(context, i);
    return;
  }
  GOMP_parallel(run, &l, (unsigned)threads, 0);
}

int tdm_processor_count(void) { return omp_get_num_procs(); }

int tdm_thread_limit(void) { return omp_get_thread_limit(); }

void tdm_set_team_size(int threads) {
  // What the environment says of them (OMP_DYNAMIC, OMP_MAX_ACTIVE_LEVELS) could make teams smaller
  // than oneDNN cuts its work for, and a part of it would not be computed.
  omp_set_dynamic(0);
  omp_set_max_active_levels(1);
  omp_set_num_threads(threads);
}
