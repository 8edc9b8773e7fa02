// Landlock: from now on no file is written, made or removed, no program started, no TCP used. What
// is open stays open.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "CProcess.h"

// The kernel's own header may be older than the kernel; these numbers are the same on every
// architecture.
enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446 };
enum { RULE_PATH_BENEATH = 1, QUERY_VERSION = 1 };

enum : uint64_t {
  FS_EXECUTE = 1 << 0,
  FS_WRITE_FILE = 1 << 1,
  FS_REMOVE_FILE = 1 << 5,
  // Removing folders and making files of every kind.
  FS_REMOVE_AND_MAKE = 0x1ff0,
  FS_REFER = 1 << 13,      // since version 2
  FS_TRUNCATE = 1 << 14,   // since version 3
  FS_IOCTL_DEV = 1 << 15,  // since version 5
  NET_TCP = 3,             // since version 4
};

struct ruleset {
  uint64_t handled_fs, handled_net;
};

struct path_beneath {
  uint64_t allowed;
  int32_t parent;
} __attribute__((packed));

int tdm_forbid_changes(const char *socket_folder) {
  long version = syscall(CREATE_RULESET, NULL, 0, QUERY_VERSION);
  if (version < 1) return version < 0 ? -errno : -ENOSYS;
  struct ruleset rules = {FS_EXECUTE | FS_WRITE_FILE | FS_REMOVE_AND_MAKE, 0};
  if (version >= 2) rules.handled_fs |= FS_REFER;
  if (version >= 3) rules.handled_fs |= FS_TRUNCATE;
  if (version >= 4) rules.handled_net |= NET_TCP;
  if (version >= 5) rules.handled_fs |= FS_IOCTL_DEV;
  size_t size = version >= 4 ? sizeof rules : sizeof rules.handled_fs;
  int set = (int)syscall(CREATE_RULESET, &rules, size, 0);
  if (set < 0) return -errno;
  int failure = 0;
  if (socket_folder) {
    int folder = open(socket_folder, O_PATH | O_CLOEXEC);
    struct path_beneath rule = {FS_REMOVE_FILE, folder};
    if (folder < 0 || syscall(ADD_RULE, set, RULE_PATH_BENEATH, &rule, 0) < 0) failure = -errno;
    if (folder >= 0) close(folder);
  }
  if (!failure && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(RESTRICT_SELF, set, 0) < 0))
    failure = -errno;
  close(set);
  return failure;
}
