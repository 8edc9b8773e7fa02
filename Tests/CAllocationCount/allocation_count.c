#define _GNU_SOURCE
#include "CAllocationCount.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_OWN_MALLOC 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_OWN_MALLOC 1
#endif
#endif

static __thread int counting;
static __thread int in_onednn;
static __thread tdm_allocations counts;

void tdm_begin_counting_allocations(void) {
  counts = (tdm_allocations){0, 0};
  counting = 1;
}

tdm_allocations tdm_end_counting_allocations(void) {
  counting = 0;
  return counts;
}

#if defined(HAS_OWN_MALLOC) || !defined(__GLIBC__)

int tdm_can_count_allocations(void) { return 0; }

#else

int tdm_can_count_allocations(void) { return 1; }

static void count(void) {
  if (!counting) return;
  if (in_onednn) {
    counts.onednn++;
  } else {
    counts.own++;
  }
}

// glibc's own, under the names that it keeps for such replacements.
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

void *malloc(size_t size) {
  count();
  return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
  count();
  return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size) {
  count();
  return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size) {
  count();
  return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  count();
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
  if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
  count();
  void *found = __libc_memalign(alignment, size);
  if (found == NULL) return ENOMEM;
  *memory = found;
  return 0;
}

int dnnl_primitive_execute(const void *primitive, void *stream, int count, const void *arguments) {
  static int (*execute)(const void *, void *, int, const void *);
  if (execute == NULL) {
    execute = (int (*)(const void *, void *, int, const void *))dlsym(
      RTLD_NEXT, "dnnl_primitive_execute");
  }
  in_onednn++;
  int status = execute(primitive, stream, count, arguments);
  in_onednn--;
  return status;
}

#endif
