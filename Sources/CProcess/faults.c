// Swift ends a process by a signal where one of its checks fails or malloc has nothing left, and
// libgomp by status 1 where the system refuses a thread. Scripts get one status for all of them.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "CProcess.h"

static int fault_status;
static int keeps_core;

static void tell(const char *line) {
  // Only write and _exit may be called here; where stderr is gone there is nowhere to say so.
  if (write(STDERR_FILENO, line, strlen(line)) < 0) return;
}

static void fault(int number) {
  switch (number) {
  case SIGSEGV:
  case SIGBUS: tell("tdm-filter: no memory left, or a fault of the program's own, a bad address"); break;
  case SIGFPE: tell("tdm-filter: a fault of the program's own, impossible arithmetic"); break;
  default: tell("tdm-filter: no memory left, or a fault of the program's own, a check that failed"); break;
  }
  tell(": frames in progress are lost; give it more memory, or report it with a core dump (ulimit -c unlimited)\n");
  if (!keeps_core) _exit(fault_status);
  // The handler is gone by now (SA_RESETHAND): this one ends the process and leaves the core.
  raise(number);
}

// What the kernel puts there for a handler grows with the processor's registers.
static size_t fault_stack_size(void) {
  const long least = sysconf(_SC_SIGSTKSZ);
  return least > 32 << 10 ? (size_t)least : 32 << 10;
}

#ifdef __GLIBC__
static void library_exit(int status, void *unused) {
  (void)unused;
  // The program itself never ends with 1.
  if (status != 1) return;
  tell("tdm-filter: a library ended the program: it could not have what it needs; raise ulimit -u and -v, or give --threads 1\n");
  _exit(fault_status);
}
#endif

void tdm_end_on_fault(int status) {
  fault_status = status;
  struct rlimit core;
  keeps_core = getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur > 0;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = fault;
  action.sa_flags = SA_RESETHAND | SA_NODEFER | SA_ONSTACK;
  const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigaction(faults[i], &action, NULL);
#ifdef __GLIBC__
  on_exit(library_exit, NULL);
#endif
}

void *tdm_take_fault_stack(void) {
  size_t size = fault_stack_size();
  void *memory = malloc(size);
  if (memory == NULL) return NULL;
  const stack_t stack = {.ss_sp = memory, .ss_size = size};
  if (sigaltstack(&stack, NULL) == 0) return memory;
  free(memory);
  return NULL;
}

void tdm_give_back_fault_stack(void *memory) {
  const stack_t none = {.ss_flags = SS_DISABLE};
  // Memory that a handler might still stand on is not given back.
  if (memory != NULL && sigaltstack(&none, NULL) == 0) free(memory);
}

void tdm_set_thread_name(const char *name) {
  char cut[16] = {0};
  strncpy(cut, name, sizeof cut - 1);
  pthread_setname_np(pthread_self(), cut);
}
