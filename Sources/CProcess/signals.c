// Libraries start threads before main can block a signal for all threads to come (OpenBLAS does,
// one for each further processor), and the system gives a process's signal to any thread that has
// not blocked it.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "CProcess.h"

static void pass_on(int number, siginfo_t *info, void *context) {
  (void)info;
  int error = errno;
  // This thread takes it no more, and the process has it once more: for another such thread, or for
  // the one that waits.
  sigaddset(&((ucontext_t *)context)->uc_sigmask, number);
  union sigval nothing = {0};
  sigqueue(getpid(), number, nothing);
  errno = error;
}

void tdm_leave_signal_to_waiting(int number) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = pass_on;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(number, &action, NULL);
}
