// Stands between a program and the C library (LD_PRELOAD) and lets things go wrong that seldom do
// by themselves.
//
// INTERPOSE is a list with commas between:
// - short: reads of stdin and writes of stdout take one byte at a time;
// - interrupted: every other one of them fails with EINTR;
// - would-block: every other one of them fails with EAGAIN;
// - close: closing what is the same file as stdout fails with EDQUOT;
// - pread=N: from the Nth on a pread finds the file's end;
// - memory=N: the Nth allocation of 4096 bytes or more fails, counted from main on;
// - thread=N: the Nth thread cannot be made, counted from main on;
// - overflow=N: the thread that reads stdin (0) or writes stdout (1) calls itself until its stack is full;
// - count: at the end the numbers of allocations and threads are written to stderr;
// - probe: before the second write of stdout the process tries what a sandbox denies, and tells on
//   stderr;
// - probe-loading: the same before the first pread.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int is_short, interrupts, blocks, fails_closing, probes, probes_loading, counts;
static int overflowing = -1;
static long failing_pread, failing_allocation, failing_thread;
static atomic_long preads, allocations, threads, calls, writes;
static atomic_int in_main;
// As the program has one where it listens.
static int earlier_socket = -1;

static const char *option(const char *name) {
  const char *list = getenv("INTERPOSE");
  size_t length = strlen(name);
  for (const char *at = list; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
    if (!strncmp(at, name, length) && (at[length] == 0 || at[length] == ',' || at[length] == '='))
      return at + length;
  return NULL;
}

static long number(const char *name) {
  const char *value = option(name);
  return value && *value == '=' ? atol(value + 1) : 0;
}

__attribute__((constructor)) static void begin(void) {
  is_short = option("short") != NULL;
  interrupts = option("interrupted") != NULL;
  blocks = option("would-block") != NULL;
  fails_closing = option("close") != NULL;
  if (option("overflow") != NULL) overflowing = (int)number("overflow");
  probes = option("probe") != NULL;
  probes_loading = option("probe-loading") != NULL;
  counts = option("count") != NULL;
  if (probes || probes_loading) earlier_socket = socket(AF_UNIX, SOCK_STREAM, 0);
  failing_pread = number("pread");
  failing_allocation = number("memory");
  failing_thread = number("thread");
}

// The program's first deed in main.
int on_exit(void (*function)(int, void *), void *argument) {
  atomic_store(&in_main, 1);
  int (*next)(void (*)(int, void *), void *) = dlsym(RTLD_NEXT, "on_exit");
  return next(function, argument);
}

void _exit(int status) {
  if (counts) dprintf(2, "allocations %ld threads %ld\n", allocations, threads);
  syscall(SYS_exit_group, status);
  __builtin_unreachable();
}

// MARK: Reading and writing

static int fails(void) {
  if (!interrupts && !blocks) return 0;
  long call = atomic_fetch_add(&calls, 1);
  if (call % 2) return 0;
  errno = interrupts && (!blocks || call % 4) ? EINTR : EAGAIN;
  return 1;
}

static void probe(void);

static volatile int goes_deeper = 1;

static int deeper(volatile char *above) {
  volatile char here[4096];
  here[0] = *above;
  return goes_deeper ? deeper(here) + here[0] : 0;
}

ssize_t read(int descriptor, void *buffer, size_t count) {
  if (descriptor == 0) {
    if (overflowing == 0) deeper((volatile char *)buffer);
    if (fails()) return -1;
    if (is_short && count > 1) count = 1;
  }
  return syscall(SYS_read, descriptor, buffer, count);
}

ssize_t write(int descriptor, const void *buffer, size_t count) {
  if (descriptor == 1) {
    if (overflowing == 1) deeper((volatile char *)buffer);
    if (probes && atomic_fetch_add(&writes, 1) == 1) probe();
    if (fails()) return -1;
    if (is_short && count > 1) count = 1;
  }
  return syscall(SYS_write, descriptor, buffer, count);
}

int close(int descriptor) {
  struct stat closed, output;
  if (fails_closing && !fstat(descriptor, &closed) && !fstat(1, &output) &&
      closed.st_dev == output.st_dev && closed.st_ino == output.st_ino) {
    errno = EDQUOT;
    return -1;
  }
  return (int)syscall(SYS_close, descriptor);
}

ssize_t pread(int descriptor, void *buffer, size_t count, off_t offset) {
  if (probes_loading && atomic_fetch_add(&writes, 1) == 0) probe();
  if (failing_pread && atomic_fetch_add(&preads, 1) + 1 >= failing_pread) return 0;
  return syscall(SYS_pread64, descriptor, buffer, count, offset);
}

ssize_t pread64(int descriptor, void *buffer, size_t count, off64_t offset) {
  return pread(descriptor, buffer, count, offset);
}

// MARK: Memory and threads

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
    *__libc_memalign(size_t, size_t);

static int refused(size_t size) {
  if (size < 4096 || !atomic_load(&in_main)) return 0;
  return atomic_fetch_add(&allocations, 1) + 1 == failing_allocation ? (errno = ENOMEM) : 0;
}

void *malloc(size_t size) { return refused(size) ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) {
  return refused(count * size) ? NULL : __libc_calloc(count, size);
}
void *realloc(void *block, size_t size) { return refused(size) ? NULL : __libc_realloc(block, size); }
void *aligned_alloc(size_t alignment, size_t size) {
  return refused(size) ? NULL : __libc_memalign(alignment, size);
}
void *memalign(size_t alignment, size_t size) { return aligned_alloc(alignment, size); }
int posix_memalign(void **block, size_t alignment, size_t size) {
  *block = aligned_alloc(alignment, size);
  return *block ? 0 : ENOMEM;
}
void *mmap(void *at, size_t size, int access, int flags, int descriptor, off_t offset) {
  if (refused(size)) return MAP_FAILED;
  return (void *)syscall(SYS_mmap, at, size, access, flags, descriptor, offset);
}
void *mmap64(void *at, size_t size, int access, int flags, int descriptor, off64_t offset) {
  return mmap(at, size, access, flags, descriptor, offset);
}

int pthread_create(
    pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
  if (atomic_load(&in_main) && atomic_fetch_add(&threads, 1) + 1 == failing_thread) return EAGAIN;
  int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
      dlsym(RTLD_NEXT, "pthread_create");
  return next(thread, attributes, body, argument);
}

// MARK: The sandbox

static void tell(const char *what, long result) {
  dprintf(2, "probe: %s %s\n", what, result >= 0 ? "succeeded" : strerrorname_np(errno));
}

static void probe(void) {
  tell("landlock", syscall(444, NULL, 0, 1));
  tell("open", open("/etc/passwd", O_RDONLY));
  tell("create", open("/tmp/tdm-filter-probe", O_WRONLY | O_CREAT, 0600));
  tell("socket", socket(AF_INET, SOCK_STREAM, 0));
  tell("unix-socket", socket(AF_UNIX, SOCK_STREAM, 0));
  tell("unlink", unlink("/tmp/tdm-filter-probe"));
  pid_t child = fork();
  if (child == 0) syscall(SYS_exit_group, 0);
  tell("fork", child);
  if (child > 0) waitpid(child, NULL, 0);
  // Were it allowed, it would fail by another number.
  char *none[] = {"none", NULL};
  tell("execute", execv("/nowhere", none));
  // Signal 0 asks whether one could be sent.
  pid_t own = getpid(), other = getppid();
  siginfo_t info = {.si_code = SI_QUEUE, .si_pid = own};
  tell("own-signal", syscall(SYS_tgkill, own, syscall(SYS_gettid), 0));
  tell("own-queued-signal", syscall(SYS_rt_sigqueueinfo, own, 0, &info));
  tell("kill", kill(other, 0));
  tell("thread-signal", syscall(SYS_tkill, other, 0));
  tell("other-signal", syscall(SYS_tgkill, other, other, 0));
  tell("other-queued-signal", syscall(SYS_rt_sigqueueinfo, other, 0, &info));
  tell("other-queued-thread-signal", syscall(SYS_rt_tgsigqueueinfo, other, other, 0, &info));
  tell("descriptor-signal", fcntl(0, F_SETOWN, other));
  tell("socket-signal", ioctl(earlier_socket, FIOSETOWN, &other));
  tell("socket-group-signal", ioctl(earlier_socket, SIOCSPGRP, &other));
  struct rlimit limit;
  tell("other-limit", syscall(SYS_prlimit64, other, RLIMIT_CORE, NULL, &limit));
  tell("own-limit", getrlimit(RLIMIT_CORE, &limit));
  // On what is no terminal it fails by another number where it is allowed.
  tell("typing", ioctl(0, TIOCSTI, "x"));
  int unread;
  tell("other-request", ioctl(0, FIONREAD, &unread));
}
