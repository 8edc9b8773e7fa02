// seccomp: from now on system calls that open, make, move or change files, connect, or start or
// reach programs fail with EPERM, in every thread. Names can still be looked up.
//
// A list of what is denied, not of what is allowed: libgomp, malloc and oneDNN may use whatever
// they use, and a library's next version may use more.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "CProcess.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifdef ARCHITECTURE

static const int denied[] = {
    // Files that are not open.
    __NR_openat, __NR_openat2, __NR_open_by_handle_at, __NR_name_to_handle_at, __NR_memfd_create,
    __NR_truncate, __NR_mknodat, __NR_mkdirat, __NR_linkat, __NR_symlinkat, __NR_renameat,
    __NR_renameat2, __NR_fchmodat, __NR_fchownat, __NR_utimensat, __NR_setxattr, __NR_lsetxattr,
    __NR_removexattr, __NR_lremovexattr,
#ifdef __NR_fchmodat2
    __NR_fchmodat2,
#endif
    // Connections that are not there, and other processes.
    __NR_socket, __NR_socketpair, __NR_connect, __NR_bind, __NR_listen, __NR_kill, __NR_tkill,
    __NR_ptrace, __NR_process_vm_readv, __NR_process_vm_writev, __NR_pidfd_open, __NR_pidfd_getfd,
    __NR_pidfd_send_signal, __NR_kcmp,
    // Programs.
    __NR_execve, __NR_execveat,
    // The system.
    __NR_mount, __NR_umount2, __NR_pivot_root, __NR_chroot, __NR_unshare, __NR_setns, __NR_bpf,
    __NR_perf_event_open, __NR_io_uring_setup, __NR_io_uring_enter, __NR_io_uring_register,
    __NR_userfaultfd, __NR_keyctl, __NR_add_key, __NR_request_key, __NR_init_module,
    __NR_finit_module, __NR_delete_module, __NR_kexec_load, __NR_reboot, __NR_swapon, __NR_swapoff,
    __NR_settimeofday, __NR_clock_settime, __NR_clock_adjtime, __NR_adjtimex, __NR_sethostname,
    __NR_setdomainname, __NR_acct, __NR_quotactl, __NR_personality, __NR_syslog, __NR_fsopen,
    __NR_fsconfig, __NR_fsmount, __NR_fspick, __NR_move_mount, __NR_open_tree,
#ifdef __x86_64__
    __NR_open, __NR_creat, __NR_mknod, __NR_mkdir, __NR_rmdir, __NR_link, __NR_symlink,
    __NR_rename, __NR_chmod, __NR_chown, __NR_lchown, __NR_utime, __NR_utimes, __NR_futimesat,
    __NR_fork, __NR_vfork, __NR_iopl, __NR_ioperm, __NR_modify_ldt,
#endif
};

static const int removing[] = {
    __NR_unlinkat,
#ifdef __x86_64__
    __NR_unlink,
#endif
};

// Signals, which may go to this process alone: raise and the handing on of stop signals need them.
static const int signalling[] = {__NR_tgkill, __NR_rt_sigqueueinfo, __NR_rt_tgsigqueueinfo};

// Of these calls, some values of the second argument: what is typed into a terminal for its shell
// to read, and signals that a descriptor sends.
static const struct {
  int call;
  unsigned value;
} requests[] = {
    {__NR_ioctl, TIOCSTI}, {__NR_ioctl, TIOCLINUX}, {__NR_fcntl, F_SETOWN},
    {__NR_fcntl, F_SETOWN_EX}, {__NR_fcntl, F_SETSIG}, {__NR_ioctl, FIOSETOWN},
    {__NR_ioctl, SIOCSPGRP},
};

enum {
  LONGEST = 2 * (sizeof denied + sizeof removing) / sizeof *denied
      + 5 * (sizeof signalling / sizeof *signalling + sizeof requests / sizeof *requests) + 30
};

struct program {
  struct sock_filter steps[LONGEST];
  unsigned short count;
};

static void add(struct program *program, unsigned short code, unsigned char yes, unsigned char no,
                unsigned value) {
  // A filter that was cut short would allow what it is to deny, and one that is too long is a fault
  // of the program's own.
  if (program->count == LONGEST) abort();
  program->steps[program->count++] = (struct sock_filter){code, yes, no, value};
}

static void end(struct program *program, unsigned value) {
  add(program, BPF_RET | BPF_K, 0, 0, value);
}

static void deny(struct program *program, const int *calls, size_t count) {
  for (size_t i = 0; i < count; i++) {
    add(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (unsigned)calls[i]);
    end(program, SECCOMP_RET_ERRNO | EPERM);
  }
}

int tdm_forbid_openings(int keeps_removing) {
  struct program program = {.count = 0};
  const unsigned load = BPF_LD | BPF_W | BPF_ABS;
  // Calls of another architecture have other numbers.
  add(&program, load, 0, 0, offsetof(struct seccomp_data, arch));
  add(&program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ARCHITECTURE);
  end(&program, SECCOMP_RET_ERRNO | EPERM);
  add(&program, load, 0, 0, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
  // x32: the same calls under other numbers.
  add(&program, BPF_JMP | BPF_JGE | BPF_K, 0, 1, 0x40000000);
  end(&program, SECCOMP_RET_ERRNO | EPERM);
#endif
  deny(&program, denied, sizeof denied / sizeof *denied);
  if (!keeps_removing) deny(&program, removing, sizeof removing / sizeof *removing);
  for (size_t i = 0; i < sizeof signalling / sizeof *signalling; i++) {
    add(&program, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, (unsigned)signalling[i]);
    add(&program, load, 0, 0, offsetof(struct seccomp_data, args[0]));
    add(&program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, (unsigned)getpid());
    end(&program, SECCOMP_RET_ERRNO | EPERM);
    end(&program, SECCOMP_RET_ALLOW);
  }
  for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
    add(&program, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, (unsigned)requests[i].call);
    add(&program, load, 0, 0, offsetof(struct seccomp_data, args[1]));
    add(&program, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, requests[i].value);
    end(&program, SECCOMP_RET_ERRNO | EPERM);
    // The call's number again, for the next.
    add(&program, load, 0, 0, offsetof(struct seccomp_data, nr));
  }
  // Limits of this process alone.
  add(&program, BPF_JMP | BPF_JEQ | BPF_K, 0, 5, __NR_prlimit64);
  add(&program, load, 0, 0, offsetof(struct seccomp_data, args[0]));
  add(&program, BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 0);
  add(&program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, (unsigned)getpid());
  end(&program, SECCOMP_RET_ERRNO | EPERM);
  end(&program, SECCOMP_RET_ALLOW);
  // A thread may be made, a process may not. clone3 keeps its flags in memory, where no filter
  // looks: without it libraries take clone.
  add(&program, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, __NR_clone3);
  end(&program, SECCOMP_RET_ERRNO | ENOSYS);
  add(&program, BPF_JMP | BPF_JEQ | BPF_K, 0, 3, __NR_clone);
  // The lower half of the flags, as of process numbers above: all architectures here are little
  // endian.
  add(&program, load, 0, 0, offsetof(struct seccomp_data, args[0]));
  add(&program, BPF_JMP | BPF_JSET | BPF_K, 1, 0, CLONE_THREAD);
  end(&program, SECCOMP_RET_ERRNO | EPERM);
  end(&program, SECCOMP_RET_ALLOW);

  struct sock_fprog filter = {program.count, program.steps};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return -errno;
  long status =
      syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
  // Above 0 it is a thread that could not follow.
  return status < 0 ? -errno : status > 0 ? -EBUSY : 0;
}

#else

int tdm_forbid_openings(int keeps_removing) {
  (void)keeps_removing;
  return -ENOSYS;
}

#endif
